"""The format JPEG XL, decoded by the optional package imagecodecs; of an animation the first frame is used.

imagecodecs has the BSD licence, as have libjxl and most of what its wheel contains; pillow-jxl-plugin has the GPL.
"""

import re

import numpy as np

from sweep.datasets.decoders.recipe import ImageFileError, MissingPackageError, Size
from sweep.datasets.decoders.recipe_2.by_pillow import upright_size
from sweep.datasets.decoders.recipe_2.formats import Format, Opened, Pixels
from sweep.datasets.decoders.recipe_2.samples import to_rgb

CODESTREAM = b"\xff\x0a"
BOXES = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
INSTALL = "pip install imagecodecs==2026.3.6"
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height, from number 1


def _open(data: bytes) -> Opened:
    def decode(_: int) -> Pixels:
        try:
            import imagecodecs
        except ImportError as error:
            raise MissingPackageError("a JPEG XL image", "imagecodecs", INSTALL) from error
        return to_rgb(np.asarray(imagecodecs.jpegxl_decode(data, index=0)))

    return Opened(_size(_codestream(data)), decode)


def _codestream(data: bytes) -> bytes:
    """Returns the first bytes of the image itself, which may be inside a box among others."""
    place = 0
    while not data.startswith(CODESTREAM, place):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        start = place + 8
        if length == 1:
            length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        if kind in (b"jxlc", b"jxlp"):
            place = start + 4 * (kind == b"jxlp")
            break
        if length < 8 or place + length >= len(data):
            raise ImageFileError("must be a whole image, got a JPEG XL without pixels")
        place += length
    return data[place : place + 64]


def _size(stream: bytes) -> Size:
    """Returns the upright size from the first fields of a codestream, which are numbers of a few bits each."""
    bits, place = int.from_bytes(stream[2:], "little"), 0

    def read(count: int) -> int:
        nonlocal place
        place += count
        return bits >> (place - count) & ((1 << count) - 1)

    def read_side(is_small: int) -> int:
        return 8 * (read(5) + 1) if is_small else read((9, 13, 18, 30)[read(2)]) + 1

    is_small = read(1)
    height = read_side(is_small)
    ratio = read(3)
    wide, high = RATIOS[ratio - 1] if ratio else (0, 0)
    width = height * wide // high if ratio else read_side(is_small)
    is_plain = read(1)
    turn = 1 if is_plain or not read(1) else read(3) + 1
    return upright_size((height, width), turn)


FORMAT = Format("JPEG XL", re.compile(re.escape(CODESTREAM) + rb"|" + re.escape(BOXES)), _open)
