"""Makes small copies of the images of a split, which a report can show without the data set."""

import cv2
import numpy as np

from sweep.datasets.pixels import Pixels

MOST_PX, LEAST_PX = 64, 8  # the longer side of a thumbnail
MOST_BYTES = 32 << 20  # of all thumbnails together, unless they would have to be smaller than LEAST_PX


def thumbnails(images: Pixels) -> np.ndarray:
    """Returns (N, h, w, 3) uint8 thumbnails of (N, 3, H, W) images; images that are small enough keep their size."""
    count, _, height, width = images.shape
    side = max(LEAST_PX, min(MOST_PX, int((MOST_BYTES / (3 * max(count, 1))) ** 0.5)))
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    channels_last = (np.ascontiguousarray(images[row].transpose(1, 2, 0)) for row in range(count))
    copies = [image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in channels_last]
    return np.array(copies, np.uint8).reshape(count, size[1], size[0], 3)
