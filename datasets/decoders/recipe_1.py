"""The first recipe: any image file of at most 16 million pixels to RGB, stretched to the size. Must not change."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps

from sweep.datasets.decoders.recipe import STRETCH, Decoded, ImageFileError, Recipe, Size
from sweep.storage.text import counted

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 16_000_000
PNG = b"\x89PNG\r\n\x1a\n"

# Pillow's own limit is larger, and would print a warning before this recipe refuses the image
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes) -> np.ndarray:
    """Decodes one PNG, JPEG, WebP, BMP or TIFF file.

    Grey is repeated, a palette expanded, 16 bits scaled to 8 with rounding, CMYK converted, transparency laid over
    white, the orientation in EXIF applied; gamma and colour profiles are ignored.

    Returns:
      (H, W, 3) uint8, RGB.

    Raises:
      ImageFileError: the file is no such image, or is empty, cut, damaged or animated, or has more than 16 million
        pixels (by its header, before anything is decoded) or more than 16 bits a channel.
    """
    if not data:
        raise ImageFileError("must be an image, got an empty file")
    try:
        if data.startswith(PNG):
            chunks = _png_chunks(data)
            depth, colour = data[24], data[25]
            # The usual case, decoded five times as fast: 8-bit grey or RGB without chunks that OpenCV ignores.
            if depth == 8 and colour in (0, 2) and not chunks & {b"tRNS", b"acTL", b"eXIf"}:
                return _opencv(data, cv2.IMREAD_COLOR_RGB)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _convert(image, data)
    except ImageFileError:
        raise
    except Image.UnidentifiedImageError as error:
        rule = "must be a PNG, JPEG, WebP, BMP or TIFF image"
        raise ImageFileError(f"{rule}, got a file that begins with {data[:12]!r}") from error
    # Pillow and OpenCV raise a dozen kinds of errors for damaged files, SyntaxError among them
    except Exception as error:
        raise ImageFileError(f"must be a whole image, got: {error}") from error


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the image stretched to (H, W) px: averaged by area if a side shrinks, else interpolated linearly."""
    if image.shape[:2] == size:
        return image
    shrinks = image.shape[0] > size[0] or image.shape[1] > size[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _png_chunks(data: bytes) -> set[bytes]:
    """Returns the kinds of chunks in a whole PNG.

    Each chunk is checked here, because Pillow accepts a file that is cut off in its last chunk.
    """
    kinds, start = set(), len(PNG)
    while b"IEND" not in kinds:
        if start + 12 > len(data):
            raise ImageFileError(f"must be a whole image, got a PNG cut after {counted(len(data), 'byte')}")
        (length,), kind = struct.unpack_from(">I", data, start), data[start + 4 : start + 8]
        body, end = data[start + 4 : start + 8 + length], start + 12 + length
        if end > len(data):
            raise ImageFileError(f"must be a whole image, got a PNG cut after {counted(len(data), 'byte')}")
        if zlib.crc32(body) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageFileError(f"must be a whole image, got a PNG with a damaged {ascii(kind)[2:-1]} chunk")
        if kind == b"IHDR":
            _check_size(*struct.unpack_from(">II", body, 4))
        kinds.add(kind)
        start = end
    return kinds


def _check_size(width: int, height: int) -> None:
    """Checks that an image has at most `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise ImageFileError(f"must have at most {MAX_PIXELS:,} pixels, got {width} x {height}")


def _opencv(data: bytes, flags: int) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:  # OpenCV returns None instead of raising an error
        raise ImageFileError("must be a whole image, got one that cannot be decoded")
    return np.asarray(pixels)


def _convert(image: Image.Image, data: bytes) -> np.ndarray:
    _check_size(*image.size)
    frames = getattr(image, "n_frames", 1)
    # an MPO, the JPEG of many phones, holds the photo and then its preview or depth
    if frames > 1 and image.format != "MPO":
        raise ImageFileError(f"must be one image, got {frames} frames")
    bits = _bits(image, data)
    if bits > 16:
        raise ImageFileError(f"must have 8 or 16 bits a channel, got {bits}")
    if bits == 16:
        image = _to_8_bits(image, data)
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))


def _bits(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG":
        return data[24]
    return max(image.tag_v2.get(258, (8,))) if image.format == "TIFF" else 8  # type: ignore[attr-defined]


def _to_8_bits(image: Image.Image, data: bytes) -> Image.Image:
    # Decoded by OpenCV, because Pillow truncates 16-bit RGB to 8 bits. 65535 / 257 is 255.
    pixels = _opencv(data, cv2.IMREAD_UNCHANGED)
    if pixels.dtype != np.uint16:
        raise ImageFileError(f"must have 8 or 16 bits a channel, got {pixels.dtype}")
    pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    result = Image.fromarray(pixels)
    if image.format == "PNG":  # OpenCV has already turned a TIFF upright
        result.info["exif"] = image.info.get("exif", b"")
    return result


def _decode_to(data: bytes, size: Size | None, fit: str) -> Decoded:
    if fit != STRETCH:
        raise ValueError(f"these rules stretch images, and know no `{fit}`")
    image = decode(data)
    return Decoded(resize(image, size) if size else image, (image.shape[0], image.shape[1]))


def _size_of(data: bytes) -> Size:
    height, width, _ = decode(data).shape
    return height, width


RECIPE = Recipe(_decode_to, _size_of, lambda sizes: None)
