"""The transform that embosses an image: its edges look lit from one side."""

import albumentations as A
import torch
import torch.nn.functional as F
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, rounded, uniform


def batched(transform: A.Emboss) -> Change:
    """Returns the batched form; it draws the two strengths for each image."""

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        alpha = uniform(transform.alpha, images, generator)
        strength = uniform(transform.strength, images, generator)
        # A.Emboss computes (1 - alpha) * image + alpha * (its kernel applied to the image). That equals image + alpha *
        # (1 + strength) * corners + alpha * strength * sides, where `sides` and `corners` are the neighbours below and
        # right of a pixel, less those above and left of it.
        padded = F.pad(images.float(), (1, 1, 1, 1), mode="reflect")
        pairs = padded[:, :, 1:, :-1] + padded[:, :, :-1, 1:]
        sides = pairs[:, :, 1:, 1:] - pairs[:, :, :-1, :-1]
        corners = padded[:, :, 2:, 2:] - padded[:, :, :-2, :-2]
        changed = corners.mul_(alpha * (1 + strength)).add_(sides.mul_(alpha * strength))
        return rounded(changed.add_(padded[:, :, 1:-1, 1:-1]))

    return change


TRANSFORM = Transform(A.Emboss, {}, batched)
