"""BMP, the bitmaps of Windows."""

import re

from datasets.decoders.recipe_2.by_pillow import opened
from datasets.decoders.recipe_2.formats import Format

FORMAT = Format("BMP", re.compile(rb"BM"), lambda data: opened(data, "BMP"))
