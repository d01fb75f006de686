"""The formats that the second recipe decodes.

Each format is a file here with a `FORMAT`; to add one, add its file and its name in `NAMES`.

A format reads the header of a file without decoding it, so that sizes are known, and images that are too large are
refused, before any pixel takes memory.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np

from sweep.datasets.decoders.recipe import Size

NAMES = (  # in the order in which they are tried
    "png",
    "jpeg",
    "webp",
    "bmp",
    "gif",
    "tiff",
    "npy",
    "jpeg_2000",
    "avif",
    "heic",
    "jpeg_xl",
    "dicom",
    "pnm",
    "tga",  # has no signature, only a plausible header, so it comes after the formats that have one
)

# Remarks on what the pixels lack, or show differently from the file.
FIRST_FRAME = "only the first of several frames or pages is used"
ON_WHITE = "transparency laid over white"
TO_8_BITS = "more than 8 bits a channel scaled to 8"
FROM_CMYK = "CMYK converted to RGB without a colour profile"
EXTRA_BAND = "a band beside red, green and blue is not used"

Pixels = tuple[np.ndarray, tuple[str, ...]]  # (H, W, 3) uint8, upright RGB, and remarks


@dataclass(frozen=True)
class Opened:
    """A file whose header was read.

    Attributes:
      size: (H, W) of the whole upright image, px.
      decode: decodes the image with its sides divided by one of `shrinks`, rounded up, or by 1; needs the whole file.
      shrinks: the possible divisors beside 1, the largest first.
    """

    size: Size
    decode: Callable[[int], Pixels]
    shrinks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Format:
    """One format of image files.

    Attributes:
      name: its name in messages.
      begins: matches the beginning of its files.
      open: reads the header. It takes the first bytes of a file, or all of them, and raises any error if they are not
        enough.
    """

    name: str
    begins: re.Pattern[bytes]
    open: Callable[[bytes], Opened]


@cache
def formats() -> tuple[Format, ...]:
    """Returns every format, in the order in which they are tried; imports the image libraries."""
    return tuple(import_module(f"{__name__}.{name}").FORMAT for name in NAMES)
