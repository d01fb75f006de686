"""The transform that flips an image from top to bottom."""

import albumentations as A
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import without_draws


def view(images: Tensor) -> Tensor:
    """Returns the images flipped."""
    return images.flip(2)


TRANSFORM = Transform(A.VerticalFlip, {}, without_draws(view), view)
