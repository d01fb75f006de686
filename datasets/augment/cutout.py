"""The transform that covers a square of an image with grey."""

import albumentations as A
import torch
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, uniform


def batched(transform: A.Erasing) -> Change | None:
    """Returns the batched form, or None if the holes are not squares or not filled with one number."""
    if tuple(transform.ratio) != (1, 1) or not isinstance(transform.fill, int | float):
        return None

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        height, width = images.shape[2:]
        area = [min(share * height * width, height**2, width**2) for share in transform.scale]
        side = uniform((area[0], area[1]), images, generator).sqrt_().round_()
        top = uniform((0, 1), images, generator).mul_(height + 1 - side).floor_()
        left = uniform((0, 1), images, generator).mul_(width + 1 - side).floor_()
        y = torch.arange(height, device=images.device)[:, None] - top
        x = torch.arange(width, device=images.device) - left
        # A mask of bytes, 255 inside the square: masked_fill takes several times as long as arithmetic on bytes.
        hole = ((y >= 0) & (y < side)).to(torch.uint8).mul_(255) & ((x >= 0) & (x < side)).to(torch.uint8).mul_(255)
        return (images & ~hole) | (hole & int(transform.fill))

    return change


# A square with a sixteenth to a quarter of the image's area, filled with mid-grey, which is near zero once normalised.
# It is not CoarseDropout, because that draws height and width independently.
TRANSFORM = Transform(A.Erasing, {"scale": (1 / 16, 1 / 4), "ratio": (1, 1), "fill": 128}, batched)
