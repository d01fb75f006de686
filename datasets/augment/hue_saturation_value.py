"""Shifts the hue, the saturation and the value of an image's colours."""

import albumentations as A
import torch
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, uniform


def batched(transform: A.HueSaturationValue) -> Change:
    limits = (transform.hue_shift_limit, transform.sat_shift_limit, transform.val_shift_limit)
    if not any(map(any, limits)):
        return lambda images, generator: images  # albumentations goes to HSV and back only with a shift

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        hue, saturation, value = (uniform(limit, images, generator)[:, 0, 0] for limit in limits)
        return shifted(images, hue, saturation, value)

    return change


def shifted(images: Tensor, hue_shift: Tensor, saturation_shift: Tensor, value_shift: Tensor) -> Tensor:
    """Returns images whose colours are shifted in cv2's 8-bit HSV, as albumentations has it.

    Args:
      hue_shift, saturation_shift, value_shift: (N, 1), of each image; changed.
    """
    planes = images.flatten(2).transpose(0, 1).contiguous()
    red, green, blue = planes.float()
    value, least = planes.amax(0).float(), planes.amin(0).float()
    spread = value - least
    # To cv2's 8-bit HSV, in whole steps: hue of 2 degrees, [-30, 150], the rest of 1, [0, 255]. The distance
    # from green, 60, times the spread, is one sum all around the circle; towards red it counts down.
    distance = (red + blue).sub_(green).add_(value).sub_(least, alpha=2)
    towards_red = (blue - red).clamp_(-1, 0)
    hue = distance.addcmul_(towards_red, distance, value=2).add_(spread, alpha=2)
    saturation = _quotient(spread, value, 255).add_(0.5).floor_()
    # Fractions of a shift are cut where albumentations cuts them. From here on hue is in [0, 180], 30 is red.
    hue = _quotient(hue, spread, 30).add_(hue_shift.floor_().remainder_(180).add_(30.5)).floor_()
    hue.sub_((hue - 180).clamp_(0, 1), alpha=180)
    coloured = saturation.clamp(max=1)  # grey, 0, stays grey
    saturation.add_(saturation_shift.trunc_()).clamp_(0, 255).mul_(coloured)
    value.add_(value_shift.trunc_()).clamp_(0, 255)
    # Back: what red, green and blue lack in the pure hue, in thirtieths.
    lack = torch.stack([60 - (hue - 120).abs_(), (hue - 90).abs_() - 30, 60 - (hue - 60).abs_()], dim=1)
    colour = value * saturation * (1 / (30 * 255))
    changed = value.add_(0.5)[:, None] - lack.clamp_(0, 30).mul_(colour[:, None])
    return changed.to(torch.int16).to(torch.uint8).view_as(images)


def _quotient(dividend: Tensor, divisor: Tensor, unit: int) -> Tensor:
    """Returns unit * dividend / divisor, where unit / divisor is from cv2's tables, in steps of 1 / 4096."""
    table = divisor.clamp(min=1).reciprocal_().mul_(unit * 4096).round_()
    return table.mul_(dividend).mul_(1 / 4096)


TRANSFORM = Transform(A.HueSaturationValue, {}, batched)
