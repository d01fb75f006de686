"""The batch that a net sees in one step: images that may be mixed with each other, in parts if memory is short."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sweep.trainable.config import TrialConfig

PREDICT_PIXELS = 2**22  # in a batch without gradients: 83 images of 224x224; at most 1,024 images
SMALLEST_MICRO_BATCH = 2  # images: batch norm cannot compute a variance from one


@dataclass(frozen=True)
class Batch:
    """Images, and the labels that the net should give them.

    Attributes:
      images: (N, 3, H, W), augmented and perhaps mixed.
      labels: (N,) class indices.
      partners: (N,) class indices of the images that were mixed in; None if none were.
      share: how much an image's own label counts in its loss, [0, 1]; its partner's label counts for the rest.
    """

    images: Tensor
    labels: Tensor
    partners: Tensor | None = None
    share: float = 1.0

    def parts(self, micro_batch: int) -> Iterator["Batch"]:
        """Splits the batch into nearly equal parts of at most `micro_batch` images.

        Where a single image would be left alone, a part has three images instead.
        """
        images = len(self.labels)
        count = max(1, min(math.ceil(images / micro_batch), images // SMALLEST_MICRO_BATCH))
        partners = [None] * count if self.partners is None else self.partners.tensor_split(count)
        split = zip(self.images.tensor_split(count), self.labels.tensor_split(count), partners, strict=True)
        return (Batch(*part, self.share) for part in split)


def predict_batch(image_size: tuple[int, int]) -> int:
    """Returns how many images of this (height, width) go through a net at once when nothing is learned."""
    return max(1, min(1024, PREDICT_PIXELS // (image_size[0] * image_size[1])))


def draw_mix(config: TrialConfig, generator: torch.Generator) -> Callable[[Batch, torch.Generator], Batch] | None:
    """Draws whether and how a batch is mixed; returns the function that mixes it, or None.

    Args:
      generator: on the host, so that nothing waits for the GPU.
    """
    probability = config.mixup + config.cutmix
    if probability > 0:
        draw, share = torch.rand(2, generator=generator).tolist()
        if draw < probability:
            return partial(_cutmix if draw >= config.mixup else _mixup, share)
    return None


def _partners(batch: Batch, generator: torch.Generator) -> Tensor:
    """Returns (N,) indices: which image of the batch is mixed into each."""
    return torch.randperm(len(batch.labels), generator=generator).to(batch.images.device, non_blocking=True)


def _mixup(share: float, batch: Batch, generator: torch.Generator) -> Batch:
    """Mixes each image with a partner: Zhang et al. 2018 with alpha 1, so the share of the first image is uniform."""
    partner = _partners(batch, generator)
    images = share * batch.images + (1 - share) * batch.images[partner]
    return Batch(images, batch.labels, batch.labels[partner], share)


def _cutmix(share: float, batch: Batch, generator: torch.Generator) -> Batch:
    """Pastes a box of a partner into each image: Yun et al. 2019 with alpha 1.

    The area of the box is uniform before it is clipped at the border of the image.
    """
    partner = _partners(batch, generator)
    height, width = batch.images.shape[2:]
    centre_y, centre_x = torch.rand(2, generator=generator).tolist()
    half_side = (1 - share) ** 0.5 / 2
    top, bottom = (min(1.0, max(0.0, centre_y + side * half_side)) for side in (-1, 1))
    left, right = (min(1.0, max(0.0, centre_x + side * half_side)) for side in (-1, 1))
    rows, columns = slice(int(top * height), int(bottom * height)), slice(int(left * width), int(right * width))
    images = batch.images.clone()
    images[:, :, rows, columns] = batch.images[partner][:, :, rows, columns]
    box_pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
    return Batch(images, batch.labels, batch.labels[partner], 1 - box_pixels / (height * width))
