"""The transform that moves an image by up to a sixteenth of its side, in whole pixels."""

from collections.abc import Mapping
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change


class Shift(A.ImageOnlyTransform):
    """Moves an image by whole pixels, independently in both directions, and fills the edges by reflection (101).

    A.Affine cannot do this without knowing the size of the images: its translate_percent rounds towards zero, so that a
    sixteenth of 16 px never moves anything.

    Args:
      fraction: the largest shift as a share of the side, [0, 1); rounded down to pixels, but at least one pixel.
      p: the share of images to shift.
    """

    def __init__(self, fraction: float = 1 / 16, p: float = 0.5) -> None:
        super().__init__(p=p)
        if not (isinstance(fraction, int | float) and 0 <= fraction < 1):
            raise ValueError(f"`0 <= fraction < 1` must hold, got fraction={fraction}")
        self.fraction = fraction

    @classmethod
    def get_class_fullname(cls) -> str:
        """Returns the name of this class in the text of a pipeline, which stays the same if the module is moved."""
        return "datasets.augment.Shift"

    def limit_px(self, side: int) -> int:
        """Returns the largest shift for a side of this many pixels."""
        return max(1, int(side * self.fraction))

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, list[int]]:
        """Draws the shift of one image: how many pixels down and to the right."""
        limits = [self.limit_px(side) for side in params["shape"][:2]]
        return {"offsets": [self.py_random.randint(-limit, limit) for limit in limits]}

    def apply(self, img: np.ndarray, offsets: list[int], **params: Any) -> np.ndarray:
        """Returns the image (H, W, C) shifted by `offsets`."""
        (height, width), (down, right) = img.shape[:2], offsets
        y, x = self.limit_px(height), self.limit_px(width)
        padded = cv2.copyMakeBorder(img, y, y, x, x, cv2.BORDER_REFLECT_101)
        return padded[y - down : y - down + height, x - right : x - right + width]


def batched(transform: Shift) -> Change:
    """Returns the batched form; it draws a shift for each image."""

    def sources(side: int, images: Tensor, generator: torch.Generator) -> Tensor:
        """Returns (N, side), the row or column that each one comes from."""
        limit = transform.limit_px(side)
        offset = torch.randint(-limit, limit + 1, (len(images), 1), generator=generator, device=images.device)
        place = (torch.arange(side, device=images.device) - offset).abs()
        return side - 1 - (side - 1 - place).abs()

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        height, width = images.shape[2:]
        rows, columns = sources(height, images, generator), sources(width, images, generator)
        pixels = (rows[:, :, None] * width + columns[:, None, :]).reshape(-1, 1, height * width)
        return images.flatten(2).gather(2, pixels.expand(-1, images.shape[1], -1)).view_as(images)

    return change


TRANSFORM = Transform(Shift, {"fraction": 1 / 16}, batched)
