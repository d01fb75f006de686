"""The transform that turns an image by up to 90 degrees either way, and fills the corners by reflection (101)."""

from functools import cache

import albumentations as A
import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, rounded, uniform


def batched(transform: A.Rotate) -> Change | None:
    """Returns the batched form, or None if the transform interpolates, fills or crops in another way."""
    bilinear = transform.interpolation == cv2.INTER_LINEAR
    if not bilinear or transform.border_mode != cv2.BORDER_REFLECT_101 or transform.crop_border:
        return None

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        angle = uniform(transform.limit, images, generator).deg2rad()  # anticlockwise
        # With align_corners, "reflection" mirrors at the centre of the outermost pixel, as BORDER_REFLECT_101 does.
        straight, across = _places(*images.shape[2:], images.device)
        source = (angle.cos() * straight).add_(angle.sin() * across)
        return rounded(F.grid_sample(images.float(), source, padding_mode="reflection", align_corners=True))

    return change


@cache
def _places(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Returns the coordinates of each pixel, and those after a quarter turn, in the units of grid_sample.

    Both are (H, W, 2), with x first. Coordinates count from the centre, in halves of the distance between the outermost
    pixel centres. x and y are in one tensor, because operations on many short rows are slow.
    """
    y, x = (torch.arange(side, device=device) - (side - 1) / 2 for side in (height, width))
    y, x = torch.meshgrid(y, x, indexing="ij")
    x_unit, y_unit = 2 / (width - 1), 2 / (height - 1)
    return torch.stack([x * x_unit, y * y_unit], dim=2), torch.stack([-y * x_unit, x * y_unit], dim=2)


TRANSFORM = Transform(
    A.Rotate, {"limit": 90, "border_mode": cv2.BORDER_REFLECT_101, "interpolation": cv2.INTER_LINEAR}, batched
)
