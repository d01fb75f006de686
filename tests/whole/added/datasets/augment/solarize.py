"""Inverts the bright pixels of an image."""

import albumentations as A
import torch
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import without_draws


def view(images: Tensor) -> Tensor:
    return torch.where(images > 127, 255 - images, images)


TRANSFORM = Transform(A.Solarize, {"threshold_range": (0.5, 0.5)}, without_draws(view), view)
