"""The format TGA, which has no signature: a file is recognised by a header all of whose fields are possible."""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

COLOURS = rb"(?:\x01[\x01\x09]|[\x00\x01][\x02\x03\x0a\x0b])"  # whether there is a palette, and the kind of pixels
BEGINS = re.compile(rb"." + COLOURS + rb".{13}[\x08\x10\x18\x20][\x00-\x3f]", re.DOTALL)

FORMAT = Format("TGA", BEGINS, lambda data: opened(data, "TGA"))
