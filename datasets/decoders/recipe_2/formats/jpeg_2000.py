"""JPEG 2000, by the library that Pillow brings along.

It is always decoded whole: where Pillow asks that library for a smaller image, it fails on some files that are whole.
"""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

BEGINS = re.compile(rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n")

FORMAT = Format("JPEG 2000", BEGINS, lambda data: opened(data, "JPEG2000"))
