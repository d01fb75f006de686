"""The transform that shifts the hue, the saturation and the value of an image's colours."""

import albumentations as A
import torch
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, uniform


def batched(transform: A.HueSaturationValue) -> Change:
    """Returns the batched form; it draws the three shifts for each image."""
    limits = (transform.hue_shift_limit, transform.sat_shift_limit, transform.val_shift_limit)
    if not any(map(any, limits)):
        # without a shift, albumentations does not convert to HSV and back either
        return lambda images, generator: images

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        hue, saturation, value = (uniform(limit, images, generator)[:, 0, 0] for limit in limits)
        return shifted(images, hue, saturation, value)

    return change


def shifted(images: Tensor, hue_shift: Tensor, saturation_shift: Tensor, value_shift: Tensor) -> Tensor:
    """Returns images whose colours are shifted in the 8-bit HSV space of cv2, as albumentations does it.

    Args:
      images: (N, 3, H, W) uint8, RGB.
      hue_shift: (N, 1), in steps of 2 degrees; modified.
      saturation_shift: (N, 1), in steps of 1/255; modified.
      value_shift: (N, 1), in steps of 1/255; modified.
    """
    planes = images.flatten(2).transpose(0, 1).contiguous()
    red, green, blue = planes.float()
    value, least = planes.amax(0).float(), planes.amin(0).float()
    spread = value - least
    # To the 8-bit HSV of cv2, in whole numbers: hue in steps of 2 degrees, [-30, 150], saturation and value in [0,
    # 255]. Hue is the distance from green, which is at 60. That distance times the spread is the same sum for all hues;
    # on the side of red it counts down.
    distance = (red + blue).sub_(green).add_(value).sub_(least, alpha=2)
    towards_red = (blue - red).clamp_(-1, 0)
    hue = distance.addcmul_(towards_red, distance, value=2).add_(spread, alpha=2)
    saturation = _quotient(spread, value, 255).add_(0.5).floor_()
    # Fractions of a shift are cut off where albumentations does so. From here on hue is in [0, 180], and 30 is red.
    hue = _quotient(hue, spread, 30).add_(hue_shift.floor_().remainder_(180).add_(30.5)).floor_()
    hue.sub_((hue - 180).clamp_(0, 1), alpha=180)
    coloured = saturation.clamp(max=1)  # grey has saturation 0 and stays grey
    saturation.add_(saturation_shift.trunc_()).clamp_(0, 255).mul_(coloured)
    value.add_(value_shift.trunc_()).clamp_(0, 255)
    # Back to RGB: how much red, green and blue the pure hue lacks, in thirtieths.
    lack = torch.stack([60 - (hue - 120).abs_(), (hue - 90).abs_() - 30, 60 - (hue - 60).abs_()], dim=1)
    colour = value * saturation * (1 / (30 * 255))
    changed = value.add_(0.5)[:, None] - lack.clamp_(0, 30).mul_(colour[:, None])
    return changed.to(torch.int16).to(torch.uint8).view_as(images)


def _quotient(dividend: Tensor, divisor: Tensor, unit: int) -> Tensor:
    """Returns unit * dividend / divisor, with unit / divisor rounded to 1 / 4096 as in the tables of cv2."""
    table = divisor.clamp(min=1).reciprocal_().mul_(unit * 4096).round_()
    return table.mul_(dividend).mul_(1 / 4096)


TRANSFORM = Transform(A.HueSaturationValue, {}, batched)
