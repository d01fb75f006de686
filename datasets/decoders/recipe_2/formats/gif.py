"""The format GIF; of an animation the first frame is used."""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

FORMAT = Format("GIF", re.compile(rb"GIF8[79]a"), lambda data: opened(data, "GIF"))
