"""Lights the edges of an image from one side."""

import albumentations as A
import torch
import torch.nn.functional as F
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, rounded, uniform


def batched(transform: A.Emboss) -> Change:
    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        alpha = uniform(transform.alpha, images, generator)
        strength = uniform(transform.strength, images, generator)
        # (1 - alpha) * image + alpha * (the kernel of A.Emboss), as image + alpha * (1 + strength) * corners
        # + alpha * strength * sides: what is below or right of a pixel, less what is above or left of it.
        padded = F.pad(images.float(), (1, 1, 1, 1), mode="reflect")
        pairs = padded[:, :, 1:, :-1] + padded[:, :, :-1, 1:]
        sides = pairs[:, :, 1:, 1:] - pairs[:, :, :-1, :-1]
        corners = padded[:, :, 2:, 2:] - padded[:, :, :-2, :-2]
        changed = corners.mul_(alpha * (1 + strength)).add_(sides.mul_(alpha * strength))
        return rounded(changed.add_(padded[:, :, 1:-1, 1:-1]))

    return change


TRANSFORM = Transform(A.Emboss, {}, batched)
