"""The transform that shuffles the three colours of an image."""

import albumentations as A
import torch
from torch import Tensor

from sweep.datasets.augment import Transform
from sweep.datasets.augment.batch_rows import Change, take


def batched(transform: A.ChannelShuffle) -> Change:
    """Returns the batched form; it draws one of the six orders for each image."""

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        order = torch.rand(images.shape[:2], generator=generator, device=images.device).argsort(1)
        first = torch.arange(0, 3 * len(images), 3, device=images.device)
        return take(images.view(-1, 1, *images.shape[2:]), (first[:, None] + order).flatten()).view_as(images)

    return change


TRANSFORM = Transform(A.ChannelShuffle, {}, batched)
