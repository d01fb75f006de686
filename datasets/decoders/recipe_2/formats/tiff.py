"""The format TIFF; of several pages the first is used.

Images may be grey, of three colours, with a palette, or CMYK, with whole numbers of up to 8 bits or of 16, or floats
from 0 to 1. A band beside three colours is alpha if the file says so or says nothing about it; otherwise it is not
used. Any other number of bands is refused, because files do not say which of them are red, green and blue.
"""

import io
import re
from dataclasses import dataclass

import cv2
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sweep.datasets.decoders.recipe import ImageFileError
from sweep.datasets.decoders.recipe_2.by_pillow import pixels_of, upright_size
from sweep.datasets.decoders.recipe_2.formats import EXTRA_BAND, FIRST_FRAME, Format, Opened, Pixels
from sweep.datasets.decoders.recipe_2.samples import STORE, by_opencv, to_rgb

WIDTH, HEIGHT, BITS, COLOURS, TURN, BANDS, EXTRA, KIND = 256, 257, 258, 262, 274, 277, 338, 339  # tags
UNSIGNED, FLOAT = 1, 3  # values of KIND
OF_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}  # number of bands for each value of COLOURS
RGB = 2
ALPHA = ((), (1,), (2,))  # beginnings of EXTRA that mean alpha
CONVERT = "write the bands that you want as an RGB image"


@dataclass(frozen=True)
class _Page:
    """The content of the tags of the first page."""

    size: tuple[int, int]
    turn: int
    bits: int
    kind: int
    bands: int
    colours: int
    extra: tuple[int, ...]
    is_first_of_several: bool


def _open(data: bytes) -> Opened:
    page = _read_tags(data)
    extra_bands = page.bands - OF_COLOURS.get(page.colours, 1)
    is_alpha = page.extra[:1] in ALPHA
    if extra_bands > 1 or (extra_bands == 1 and page.colours != RGB and not (is_alpha and page.extra)):
        rule = "must have 1 band, or red, green and blue with at most one more"
        raise ImageFileError(f"{rule}, got {page.bands} bands", CONVERT)
    if page.kind not in (UNSIGNED, FLOAT):
        raise ImageFileError("must have 8 or 16 bits a channel without a sign, got numbers with a sign", STORE)
    if page.kind == UNSIGNED and page.bits not in (1, 2, 4, 8, 16):
        raise ImageFileError(f"must have 8 or 16 bits a channel, got {page.bits}", STORE)

    def decode(_shrink: int) -> Pixels:
        drops_band = extra_bands == 1 and not is_alpha
        if page.kind == UNSIGNED and page.bits <= 8:
            pixels, remarks = pixels_of(Image.open(io.BytesIO(data), formats=("TIFF",)))
        else:
            samples = by_opencv(data, cv2.IMREAD_UNCHANGED)  # OpenCV has already turned the image upright
            if samples.dtype.kind != ("f" if page.kind == FLOAT else "u"):
                raise ImageFileError(f"must have 8 or 16 bits a channel, got {samples.dtype}", STORE)
            pixels, remarks = to_rgb(samples[..., :3] if drops_band else samples, is_bgr=True)
            remarks += (FIRST_FRAME,) * page.is_first_of_several
        return pixels, remarks + (EXTRA_BAND,) * drops_band

    return Opened(upright_size(page.size, page.turn), decode)


def _read_tags(data: bytes) -> _Page:
    """Reads the tags of the first page."""
    file = io.BytesIO(data)
    head = file.read(8)
    if head[2] == 43 or head[3] == 43:  # BigTIFF, the variant for files of more than 4 GiB, has a longer header
        head += file.read(8)
    tags = ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    extra = tags.get(EXTRA, ())
    return _Page(
        size=(int(tags[HEIGHT]), int(tags[WIDTH])),
        turn=tags.get(TURN, 1),
        bits=max(tags.get(BITS, (1,))),
        kind=max(tags.get(KIND, (UNSIGNED,))),
        bands=int(tags.get(BANDS, 1)),
        colours=tags.get(COLOURS, 1),
        extra=extra if isinstance(extra, tuple) else (extra,),
        is_first_of_several=bool(tags.next),
    )


FORMAT = Format("TIFF", re.compile(rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+"), _open)
