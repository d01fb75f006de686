"""Flips an image from left to right."""

import albumentations as A
from torch import Tensor

from datasets.augment import Transform
from datasets.augment.batch_rows import without_draws


def view(images: Tensor) -> Tensor:
    return images.flip(3)


TRANSFORM = Transform(A.HorizontalFlip, {}, without_draws(view), view)
