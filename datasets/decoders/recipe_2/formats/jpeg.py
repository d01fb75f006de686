"""The format JPEG, decoded at a half, a quarter or an eighth of its size if that is enough.

The usual files, grey or in three colours of 8 bits, are decoded by OpenCV, which is faster, and the others by Pillow.
Both use the same library and give the same pixels.
"""

import io
import re
import struct
from dataclasses import dataclass

import cv2
from PIL import Image

from sweep.datasets.decoders.recipe import ImageFileError, Size
from sweep.datasets.decoders.recipe_2.by_pillow import orientation_of, pixels_of, upright_size
from sweep.datasets.decoders.recipe_2.formats import Format, Opened, Pixels
from sweep.datasets.decoders.recipe_2.samples import by_opencv, turned

FLAGS = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
SHRINKS = (8, 4, 2)
USUAL = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, with Huffman codes
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
SCAN = 0xDA
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
MOST_SCANS = 200  # encoders write about ten; each takes as long as a whole image, however few bytes it has


@dataclass(frozen=True)
class _Header:
    size: Size  # before the image is turned
    is_usual: bool
    may_be_turned: bool


def _open(data: bytes) -> Opened:
    header = _read_header(data)
    image = (
        Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) if header.may_be_turned or not header.is_usual else None
    )
    orientation = orientation_of(image) if image else 1

    def decode(shrink: int) -> Pixels:
        if header.is_usual:
            return turned(by_opencv(data, FLAGS[shrink] | cv2.IMREAD_IGNORE_ORIENTATION), orientation), ()
        assert image
        if shrink > 1:
            image.draft(None, (image.width // shrink, image.height // shrink))
        return pixels_of(image)

    return Opened(upright_size(header.size, orientation), decode, SHRINKS)


def _read_header(data: bytes) -> _Header:
    """Reads the marker segments before the first scan."""
    place, frame, may_be_turned = 2, None, False
    while True:
        place = data.index(b"\xff", place)
        while data[place] == 0xFF:
            place += 1
        marker = data[place]
        place += 1
        if marker in WITHOUT_LENGTH or marker == 0:
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        if length < 2 or place + length > len(data):
            raise ImageFileError(
                f"must be a whole image, got a JPEG cut or damaged before its pixels, at byte {place:,}"
            )
        if marker in FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, place + 2)
            frame = (height, width), marker in USUAL and bits == 8 and channels in (1, 3)
        elif marker == 0xE1:  # EXIF or XMP
            may_be_turned = True
        elif marker == SCAN:
            break
        place += length
    if frame is None:
        raise ImageFileError("must be a whole image, got a JPEG without a size")
    if (scans := data.count(b"\xff\xda", place)) > MOST_SCANS:
        raise ImageFileError(f"must have at most {MOST_SCANS} scans, got {scans}")
    return _Header(*frame, may_be_turned)


FORMAT = Format("JPEG", re.compile(rb"\xff\xd8\xff"), _open)
