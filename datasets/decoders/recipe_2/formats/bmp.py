"""The format BMP, the bitmaps of Windows."""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

FORMAT = Format("BMP", re.compile(rb"BM"), lambda data: opened(data, "BMP"))
