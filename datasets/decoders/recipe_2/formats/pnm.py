"""The formats PBM, PGM and PPM, with 8 or 16 bits, and PFM with floats from 0 to 1."""

import re

from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format

FORMAT = Format("PBM, PGM, PPM", re.compile(rb"P[1-6fF]\s"), lambda data: opened(data, "PPM"))
