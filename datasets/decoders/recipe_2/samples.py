"""Converts arrays of samples to 8-bit RGB."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image

from sweep.datasets.decoders.recipe import ImageFileError
from sweep.datasets.decoders.recipe_2.formats import ON_WHITE, TO_8_BITS, Pixels

STORE = "store it with 8 or 16 bits a channel"
STRIP_PIXELS = 4 << 20  # pixels that are converted at a time, so that a large image is not in memory several times


def to_rgb(samples: np.ndarray, is_bgr: bool = False) -> Pixels:
    """Returns samples as RGB: grey is repeated, and a fourth channel is alpha, laid over white.

    Args:
      samples: (H, W) or (H, W, 1, 2, 3 or 4). The values may be whole numbers of 8 bits, or of 16 bits, which are
        scaled with rounding, or floats from 0 to 1, or booleans.
      is_bgr: the colours are in the order of OpenCV.

    Raises:
      ImageFileError: the samples are others.
    """
    channels = samples.shape[2] if samples.ndim == 3 else 1
    if samples.ndim not in (2, 3) or not 1 <= channels <= 4:
        raise ImageFileError(f"must be height x width, or with 3 or 4 channels behind, got {samples.shape}")
    to_8_bits = _conversion(samples)
    if to_8_bits is _unchanged and channels == 3 and not is_bgr:
        return np.ascontiguousarray(samples), ()
    pixels, is_transparent = np.empty((*samples.shape[:2], 3), np.uint8), False
    for rows in strips(samples.shape[0], samples.shape[1]):
        part = to_8_bits(samples[rows])
        if channels == 1:
            part = np.repeat(part.reshape(*part.shape[:2], 1), 3, 2)
        elif channels == 2:
            part = part[..., [0, 0, 0, 1]]
        elif is_bgr:
            part = part[..., [2, 1, 0, 3][:channels]]
        if channels in (2, 4):
            is_transparent |= bool((part[..., 3] < 255).any())
            part = over_white(Image.fromarray(np.ascontiguousarray(part)))
        pixels[rows] = part
    remarks = [TO_8_BITS] * (samples.dtype.itemsize > 1) + [ON_WHITE] * is_transparent
    return pixels, tuple(remarks)


def over_white(image: Image.Image) -> np.ndarray:
    """Returns (H, W, 3), an RGBA image laid over white."""
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def strips(height: int, width: int) -> Iterator[slice]:
    """Yields slices of rows, each of which is converted at a time."""
    step = max(1, STRIP_PIXELS // max(1, width))
    return (slice(start, min(start + step, height)) for start in range(0, height, step))


def by_opencv(data: bytes, flags: int) -> np.ndarray:
    """Returns the pixels that OpenCV decodes, with colours in its order unless the flags ask for RGB.

    Raises:
      ImageFileError: it cannot decode them.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:  # OpenCV returns None instead of raising an error
        raise ImageFileError("must be a whole image, got one that is cut or damaged")
    return np.asarray(pixels)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Returns an image upright, given the orientation number in its EXIF."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _conversion(samples: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function that converts samples of this type to 8 bits."""
    if samples.dtype == np.uint8:
        return _unchanged
    if samples.dtype == np.uint16:
        return _from_16_bits
    if samples.dtype == np.bool_:
        return lambda part: part.astype(np.uint8) * 255
    if samples.dtype.kind == "f":
        low, high = samples.min(initial=0), samples.max(initial=0)
        if not (low >= 0 and high <= 1):  # NaN, too
            rule = "must have values from 0 to 1 where they are floats"
            raise ImageFileError(f"{rule}, got {low:.6g} to {high:.6g}", STORE)
        return lambda part: np.rint(part * 255).astype(np.uint8)
    raise ImageFileError(f"must have 8 or 16 bits a channel without a sign, got {samples.dtype}", STORE)


def _unchanged(part: np.ndarray) -> np.ndarray:
    return part


def _from_16_bits(part: np.ndarray) -> np.ndarray:
    return ((part.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 / 257 is 255
