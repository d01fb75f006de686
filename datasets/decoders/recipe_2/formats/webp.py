"""The format WebP; of an animation the first frame is used."""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

FORMAT = Format("WebP", re.compile(rb"RIFF....WEBP", re.DOTALL), lambda data: opened(data, "WEBP"))
