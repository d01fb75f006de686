"""JPEG 2000, by the library that Pillow brings along; decoded at a half, a quarter or an eighth where that will do."""

import io
import re

from PIL import Image

from datasets.decoders.recipe_2.by_pillow import pixels_of
from datasets.decoders.recipe_2.formats import Format, Opened, Pixels

BEGINS = re.compile(rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n")
# The marker segment COD, and in it the number of times that the image was halved.
CODING = re.compile(rb"\xff\x4f\xff\x51.*?\xff\x52..[\x00-\x07][\x00-\x04]..[\x00\x01]([\x00-\x20])", re.DOTALL)
LEVELS = {8: 3, 4: 2, 2: 1}


def _open(data: bytes) -> Opened:
    image = Image.open(io.BytesIO(data), formats=("JPEG2000",))
    coding = CODING.search(data, 0, 1 << 16)
    levels = coding[1][0] if coding else 0

    def decode(shrink: int) -> Pixels:
        if shrink > 1:
            image.reduce = LEVELS[shrink]  # type: ignore[assignment, method-assign]
        return pixels_of(image)

    shrinks = tuple(shrink for shrink, level in LEVELS.items() if level <= levels)
    return Opened((image.height, image.width), decode, shrinks)


FORMAT = Format("JPEG 2000", BEGINS, _open)
