"""The transform that exchanges the rows and the columns of a square image."""

import albumentations as A
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import without_draws


def view(images: Tensor) -> Tensor:
    """Returns the images with rows and columns exchanged.

    Raises:
      ValueError: the images are not square.
    """
    if images.shape[2] != images.shape[3]:
        raise ValueError(f"transpose needs square images, got {images.shape[2]}x{images.shape[3]} (height x width)")
    return images.transpose(2, 3).contiguous()


TRANSFORM = Transform(A.Transpose, {}, without_draws(view), view, needs_square=True)
