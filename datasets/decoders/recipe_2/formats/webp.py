"""WebP; of an animation the first frame."""

import re

from datasets.decoders.recipe_2.by_pillow import opened
from datasets.decoders.recipe_2.formats import Format

FORMAT = Format("WebP", re.compile(rb"RIFF....WEBP", re.DOTALL), lambda data: opened(data, "WEBP"))
