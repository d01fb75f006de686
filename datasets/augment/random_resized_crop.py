"""Enlarges a random part of an image to the size of the whole.

On a GPU `grid_sample` enlarges a whole batch at once, and on a CPU it does so if the images are small. Larger images on
a CPU are enlarged by OpenCV, one by one, in the threads of the trial: at 224 px this takes a fifth of the time, while
at 16 px it would take twice as long. The random draws are the same either way, and no byte differs by more than one
grey level.
"""

import math
from collections.abc import Mapping
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, rounded, uniform
from sweep.datasets.pixels.threads import in_threads

TRIES = 10  # to draw a part that lies in the image, as in albumentations
ONE_BY_ONE_PIXELS = 64 * 64  # images with at least so many are enlarged faster by OpenCV than by grid_sample


class RandomResizedCrop(A.ImageOnlyTransform):
    """An A.RandomResizedCrop to the image's own size, so that one pipeline serves images of any size.

    Args:
      scale: the smallest and largest share of the area that is kept, above 0 and up to 1, inclusive.
      ratio: the smallest and largest ratio of the part's width to its height, inclusive.

    Raises:
      ValueError: a range is empty or out of bounds.
    """

    def __init__(
        self, scale: tuple[float, float] = (0.08, 1), ratio: tuple[float, float] = (3 / 4, 4 / 3), p: float = 1
    ) -> None:
        super().__init__(p=p)
        if not (len(scale) == 2 and 0 < scale[0] <= scale[1] <= 1):
            raise ValueError(f"`0 < from <= to <= 1` must hold for scale, got {scale}")
        if not (len(ratio) == 2 and 0 < ratio[0] <= ratio[1] < math.inf):
            raise ValueError(f"`0 < from <= to` must hold for ratio, got {ratio}")
        self.scale, self.ratio = (scale[0], scale[1]), (ratio[0], ratio[1])

    @classmethod
    def get_class_fullname(cls) -> str:
        """Returns the class's name in the text of a pipeline, which stays the same wherever the class is defined."""
        return "datasets.augment.RandomResizedCrop"

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Draws which part of an image is kept, as albumentations' own transform does."""
        draw: Any = A.RandomResizedCrop.get_params_dependent_on_data
        values: dict[str, Any] = draw(self, params, data)
        return values

    def apply(self, img: np.ndarray, crop_coords: tuple[int, int, int, int], **params: Any) -> np.ndarray:
        """Returns the part of an (H, W, C) image, enlarged to the size of the whole image.

        Args:
          crop_coords: the part's left, top, right and bottom edge in px; right and bottom lie outside of it.
        """
        left, top, right, bottom = crop_coords
        part = np.ascontiguousarray(img[top:bottom, left:right])
        return np.asarray(cv2.resize(part, img.shape[1::-1], interpolation=cv2.INTER_LINEAR)).reshape(img.shape)


def batched(transform: RandomResizedCrop | A.RandomResizedCrop) -> Change | None:
    """Returns the change that does to a batch of images what the transform does to one image.

    Returns:
      None if the transform interpolates in another way than linearly.

    Raises, when the change is called:
      ValueError: the transform's size is not the size of the images.
    """
    size: tuple[int, int] | None = None
    if isinstance(transform, A.RandomResizedCrop):
        size = tuple(transform.size)
        if transform.interpolation != cv2.INTER_LINEAR:
            return None

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        height, width = images.shape[2:]
        if size not in (None, (height, width)):
            raise ValueError(f"RandomResizedCrop must leave images {height}x{width}, got size={size}")
        part_height, part_width, is_middle = _part(transform, images, generator)
        top = _start(part_height, height, is_middle, images, generator)
        left = _start(part_width, width, is_middle, images, generator)
        if images.device.type == "cpu" and height * width >= ONE_BY_ONE_PIXELS:
            return _enlarge_one_by_one(images, torch.cat([top, left, part_height, part_width], 1).long().numpy())
        y, x = _places(top, part_height, height), _places(left, part_width, width)
        grid = torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], 3)
        return rounded(F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False))

    return change


def _enlarge_one_by_one(images: Tensor, parts: np.ndarray) -> Tensor:
    """Returns the parts of images on a CPU, each enlarged to (H, W).

    Args:
      parts: (N, 4), the first row and column of each, its height and its width.
    """
    size = images.shape[3], images.shape[2]
    enlarged = torch.empty_like(images, memory_format=torch.contiguous_format)
    planes, targets = images.numpy(), enlarged.numpy()
    threads = max(1, min(torch.get_num_threads(), len(images)))

    def enlarge(numbers: range) -> None:
        for number, (top, left, height, width) in zip(numbers, parts[numbers].tolist(), strict=True):
            part = planes[number, :, top : top + height, left : left + width]
            for plane, target in zip(part, targets[number], strict=True):
                cv2.resize(plane, size, dst=target, interpolation=cv2.INTER_LINEAR)

    shares = [range(first, len(images), threads) for first in range(threads)]
    for _ in map(enlarge, shares) if threads == 1 else in_threads(enlarge, shares, threads, threads):
        pass
    return enlarged


def _part(
    transform: RandomResizedCrop | A.RandomResizedCrop, images: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the height and width in px of the part that is kept of each image, and whether that is the middle.

    Each is (N, 1). If no part that was tried lies in the image, the largest part in its middle that the ratio allows is
    kept.
    """
    (height, width), scale, ratio = images.shape[2:], transform.scale, transform.ratio
    draws = torch.empty(2, len(images), TRIES, device=images.device)
    area = draws[0].uniform_(*scale, generator=generator).mul_(height * width)
    shape = draws[1].uniform_(math.log(ratio[0]), math.log(ratio[1]), generator=generator).exp_()
    widths, heights = (area * shape).sqrt_().round_(), (area / shape).sqrt_().round_()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = (fits.cumsum(1) == 0).sum(1, keepdim=True)  # the first try that fits; TRIES if none does
    is_middle = first == TRIES
    first.clamp_(max=TRIES - 1)
    max_height, max_width = min(height, round(width / ratio[0])), min(width, round(height * ratio[1]))
    heights, widths = heights.gather(1, first), widths.gather(1, first)
    return torch.where(is_middle, max_height, heights), torch.where(is_middle, max_width, widths), is_middle


def _start(part: Tensor, side: int, is_middle: Tensor, images: Tensor, generator: torch.Generator) -> Tensor:
    """Returns (N, 1), the pixel along a side at which the part of each image begins."""
    drawn = uniform((0, 1), images, generator).view(-1, 1).mul_(side + 1 - part)
    return torch.where(is_middle, (side - part) / 2, drawn).floor_()


def _places(start: Tensor, part: Tensor, side: int) -> Tensor:
    """Returns (N, side): the position along a side that each pixel comes from, from -1 to 1 as grid_sample counts.

    Pixels of the edge come from the middle of the outermost pixel of the part, never from outside of it.
    """
    target = torch.arange(side, device=part.device) + 0.5
    place = (target * (part / side) - 0.5).clamp_(min=0).minimum(part - 1)
    return place.add_(start).add_(0.5).mul_(2 / side).sub_(1)


# The smallest share is not ImageNet's 0.08, which pays off over hundreds of epochs: trials train for a tenth of them.
TRANSFORM = Transform(
    RandomResizedCrop, {"scale": (0.35, 1), "ratio": (3 / 4, 4 / 3)}, batched, other_kinds=(A.RandomResizedCrop,)
)
