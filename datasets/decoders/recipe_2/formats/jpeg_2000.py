"""The format JPEG 2000, decoded by the library in Pillow.

Images are always decoded at full size: if Pillow asks the library for a smaller one, it fails on some intact files.
"""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

BEGINS = re.compile(rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n")

FORMAT = Format("JPEG 2000", BEGINS, lambda data: opened(data, "JPEG2000"))
