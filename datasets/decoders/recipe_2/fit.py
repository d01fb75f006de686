"""Fits an image of any size to the size that is trained at.

- `stretch`: each side is scaled to its size; the aspect ratio changes.
- `crop`: the largest central part with the aspect ratio of the size, scaled to it. The shorter side is kept whole, and
  the longer one loses the same at both ends (of an odd number, the far end loses one more).
- `pad`: the whole image, as large as fits, in the middle of mid-grey (which is near zero once normalised).

A side that shrinks is averaged over its area; otherwise pixels are interpolated linearly.
"""

import cv2
import numpy as np

from sweep.datasets.decoders.recipe import CROP, PAD, Size

GREY = 128
Box = tuple[int, int, int, int]  # top, left, height and width, px


def box(image: Size, size: Size, fit: str) -> Box:
    """Returns the part of an image that is used."""
    height, width = image
    if fit != CROP:
        return 0, 0, height, width
    is_wide = height * size[1] < width * size[0]
    inner_height = height if is_wide else max(1, round(width * size[0] / size[1]))
    inner_width = max(1, round(height * size[1] / size[0])) if is_wide else width
    return (height - inner_height) // 2, (width - inner_width) // 2, inner_height, inner_width


def inner_size(image: Size, size: Size, fit: str) -> Size:
    """Returns the size to which the used part of an image is scaled."""
    if fit != PAD:
        return size
    scale = min(size[0] / image[0], size[1] / image[1])
    return max(1, min(size[0], round(image[0] * scale))), max(1, min(size[1], round(image[1] * scale)))


def fitted(pixels: np.ndarray, part: Box, inner: Size, size: Size) -> np.ndarray:
    """Returns (H, W, 3) of `size`: the part scaled to `inner`, with grey around it if that is smaller."""
    top, left, height, width = part
    if (height, width) != pixels.shape[:2]:
        pixels = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    if (height, width) != inner:
        shrinks = height > inner[0] or width > inner[1]
        pixels = cv2.resize(pixels, inner[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if inner == size:
        return pixels
    grey = np.full((*size, 3), GREY, np.uint8)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    grey[top : top + inner[0], left : left + inner[1]] = pixels
    return grey
