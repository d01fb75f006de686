"""The format AVIF, decoded by the library in Pillow; of a sequence the first image is used."""

import re

from PIL import features

from sweep.datasets.decoders.recipe import ImageFileError
from sweep.datasets.decoders.recipe_2.by_pillow import opened
from sweep.datasets.decoders.recipe_2.formats import Format, Opened


def _open(data: bytes) -> Opened:
    if not features.check("avif"):
        raise ImageFileError(
            "AVIF must be read by Pillow, got one that was built without it", "pip install pillow==13.0.0"
        )
    return opened(data, "AVIF")


FORMAT = Format("AVIF", re.compile(rb"....ftypavi[fs]", re.DOTALL), _open)
