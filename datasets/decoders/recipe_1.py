"""The first rules: any image file of at most 16 million pixels to RGB, stretched to the size. Frozen."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps

from sweep.datasets.decoders.recipe import STRETCH, Decoded, ImageError, Recipe, Size
from sweep.storage.text import counted

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 16_000_000
PNG = b"\x89PNG\r\n\x1a\n"

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is larger, and would print a warning before our error


def decode(data: bytes) -> np.ndarray:
    """Decodes one PNG, JPEG, WebP, BMP or TIFF file.

    Grey is repeated, a palette expanded, 16 bits scaled to 8 with rounding, CMYK converted, transparency laid
    over white, the EXIF orientation applied; gamma and colour profiles are ignored.

    Returns:
      (H, W, 3) uint8, RGB.

    Raises:
      ImageError: no such image, empty, cut, damaged, animated, over 16 million pixels (by its header: nothing is
        decoded then) or of more than 16 bits a channel.
    """
    if not data:
        raise ImageError("must be an image, got an empty file")
    try:
        if data.startswith(PNG):
            chunks = _png_chunks(data)
            depth, colour = data[24], data[25]
            # The usual case, five times as fast: 8-bit grey or RGB with nothing that OpenCV cannot tell or would drop.
            if depth == 8 and colour in (0, 2) and not chunks & {b"tRNS", b"acTL", b"eXIf"}:
                return _opencv(data, cv2.IMREAD_COLOR_RGB)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _convert(image, data)
    except ImageError:
        raise
    except Image.UnidentifiedImageError as error:
        rule = "must be a PNG, JPEG, WebP, BMP or TIFF image"
        raise ImageError(f"{rule}, got a file that begins with {data[:12]!r}") from error
    except Exception as error:  # Pillow and OpenCV raise a dozen kinds on damaged files, SyntaxError among them
        raise ImageError(f"must be a whole image, got: {error}") from error


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """To (H, W) px, without keeping the aspect ratio: by area where a side shrinks, else linearly."""
    if image.shape[:2] == size:
        return image
    shrinks = image.shape[0] > size[0] or image.shape[1] > size[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _png_chunks(data: bytes) -> set[bytes]:
    """The kinds of chunks of a whole PNG. Pillow accepts one that is cut in its last chunk."""
    kinds, start = set(), len(PNG)
    while b"IEND" not in kinds:
        if start + 12 > len(data):
            raise ImageError(f"must be a whole image, got a PNG cut after {counted(len(data), 'byte')}")
        (length,), kind = struct.unpack_from(">I", data, start), data[start + 4 : start + 8]
        body, end = data[start + 4 : start + 8 + length], start + 12 + length
        if end > len(data):
            raise ImageError(f"must be a whole image, got a PNG cut after {counted(len(data), 'byte')}")
        if zlib.crc32(body) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageError(f"must be a whole image, got a PNG with a damaged {ascii(kind)[2:-1]} chunk")
        if kind == b"IHDR":
            _check_size(*struct.unpack_from(">II", body, 4))
        kinds.add(kind)
        start = end
    return kinds


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(f"must have at most {MAX_PIXELS:,} pixels, got {width} x {height}")


def _opencv(data: bytes, flags: int) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:  # how OpenCV says no
        raise ImageError("must be a whole image, got one that cannot be decoded")
    return np.asarray(pixels)


def _convert(image: Image.Image, data: bytes) -> np.ndarray:
    _check_size(*image.size)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # the JPEG of many phones: the photo, then its preview or depth
        raise ImageError(f"must be one image, got {frames} frames")
    bits = _bits(image, data)
    if bits > 16:
        raise ImageError(f"must have 8 or 16 bits a channel, got {bits}")
    if bits == 16:
        image = _to_8_bits(image, data)
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return np.array(image.convert("RGB"))


def _bits(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG":
        return data[24]
    return max(image.tag_v2.get(258, (8,))) if image.format == "TIFF" else 8  # type: ignore[attr-defined]


def _to_8_bits(image: Image.Image, data: bytes) -> Image.Image:
    # By OpenCV: Pillow truncates 16-bit RGB while it decodes. 65535 / 257 is 255.
    pixels = _opencv(data, cv2.IMREAD_UNCHANGED)
    if pixels.dtype != np.uint16:
        raise ImageError(f"must have 8 or 16 bits a channel, got {pixels.dtype}")
    pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    result = Image.fromarray(pixels)
    if image.format == "PNG":  # OpenCV has turned a TIFF already
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
