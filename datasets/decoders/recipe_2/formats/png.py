"""The format PNG, whose chunks are compared with their checksums; of an animation the still image is used."""

import io
import re
import struct
import zlib
from functools import cache

import cv2
from PIL import Image

from sweep.datasets.decoders.recipe import ImageFileError
from sweep.datasets.decoders.recipe_2.by_pillow import orientation_of, pixels_of, upright_size
from sweep.datasets.decoders.recipe_2.formats import FIRST_FRAME, Format, Opened, Pixels
from sweep.datasets.decoders.recipe_2.samples import by_opencv, to_rgb, turned
from sweep.storage.text import counted

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_END = 33  # bytes
GREY, RGB, RGBA = 0, 2, 6
OF_PILLOW = {b"tRNS", b"acTL", b"eXIf"}  # chunks that OpenCV does not report or would drop
TEXTS = {b"tEXt", b"zTXt", b"iTXt"}  # chunks of text, in which some programs write EXIF


def _open(data: bytes) -> Opened:
    if len(data) < HEADER_END:
        raise ImageFileError(f"must be a whole image, got a PNG cut after {counted(len(data), 'byte')}")
    if data[12:16] != b"IHDR":
        raise ImageFileError("must be a whole image, got a PNG that does not begin with its header")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)

    @cache
    def chunks() -> set[bytes]:
        return _chunks(data)

    def decode(_: int) -> Pixels:
        kinds = chunks()
        if depth == 8 and colour in (GREY, RGB) and not kinds & OF_PILLOW:
            return by_opencv(data, cv2.IMREAD_COLOR_RGB), ()
        if depth == 8 and colour == RGBA and not kinds & (OF_PILLOW | TEXTS):
            return to_rgb(by_opencv(data, cv2.IMREAD_UNCHANGED), is_bgr=True)
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        if depth < 16:
            return pixels_of(image)
        # Decoded by OpenCV, because Pillow truncates RGB of 16 bits to 8.
        pixels, remarks = to_rgb(by_opencv(data, cv2.IMREAD_UNCHANGED), is_bgr=True)
        return turned(pixels, orientation_of(image)), remarks + (FIRST_FRAME,) * (b"acTL" in kinds)

    size = height, width
    if width != height and _may_be_turned(chunks(), depth, colour):
        size = upright_size(size, orientation_of(Image.open(io.BytesIO(data), formats=("PNG",))))
    return Opened(size, decode)


def _may_be_turned(kinds: set[bytes], depth: int, colour: int) -> bool:
    """Returns whether the file may hold EXIF, which may say that the image is stored turned."""
    is_usual = depth == 8 and colour in (GREY, RGB) and not kinds & OF_PILLOW
    return not is_usual and bool(kinds & (TEXTS | {b"eXIf"}))


def _chunks(data: bytes) -> set[bytes]:
    """Returns the kinds of chunks in a whole PNG.

    Each chunk is checked here, because Pillow accepts a file that is cut off in its last chunk.
    """
    kinds: set[bytes] = set()
    start = len(SIGNATURE)
    while b"IEND" not in kinds:
        if start + 12 > len(data):
            raise ImageFileError(f"must be a whole image, got a PNG cut after {counted(len(data), 'byte')}")
        (length,), kind = struct.unpack_from(">I", data, start), data[start + 4 : start + 8]
        end = start + 12 + length
        if end > len(data):
            raise ImageFileError(f"must be a whole image, got a PNG cut after {counted(len(data), 'byte')}")
        if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageFileError(f"must be a whole image, got a PNG with a damaged {ascii(kind)[2:-1]} chunk")
        kinds.add(kind)
        start = end
    return kinds


FORMAT = Format("PNG", re.compile(re.escape(SIGNATURE)), _open)
