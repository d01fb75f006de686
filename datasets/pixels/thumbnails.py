"""The images of a split made small, for a report that shows some of them wherever the sweep's folder is read."""

import cv2
import numpy as np

from sweep.datasets.pixels import Pixels

MOST_PX, LEAST_PX = 64, 8  # of the longer side
MOST_BYTES = 32 << 20  # of all together, where that leaves them LEAST_PX


def thumbnails(images: Pixels) -> np.ndarray:
    """Returns (N, h, w, 3) uint8 of (N, 3, H, W); images that are small enough stay as they are."""
    count, _, height, width = images.shape
    side = max(LEAST_PX, min(MOST_PX, int((MOST_BYTES / (3 * max(count, 1))) ** 0.5)))
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    upright = (np.ascontiguousarray(images[row].transpose(1, 2, 0)) for row in range(count))
    made = [image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in upright]
    return np.array(made, np.uint8).reshape(count, size[1], size[0], 3)
