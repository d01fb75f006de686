"""TGA, which has no signature: its files are known by a header in which every field is a possible one."""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

COLOURS = rb"(?:\x01[\x01\x09]|[\x00\x01][\x02\x03\x0a\x0b])"  # a palette or none, and what the pixels are
BEGINS = re.compile(rb"." + COLOURS + rb".{13}[\x08\x10\x18\x20][\x00-\x3f]", re.DOTALL)

FORMAT = Format("TGA", BEGINS, lambda data: opened(data, "TGA"))
