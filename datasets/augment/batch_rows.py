"""What changes of a whole batch of images are made of; images are (N, 3, H, W) uint8."""

from collections.abc import Callable

import torch
from torch import Tensor

Change = Callable[[Tensor, torch.Generator], Tensor]  # it leaves its input as it is
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.uint8)


def take(images: Tensor, index: Tensor) -> Tensor:
    """Returns `images[index]` in a fraction of the time.

    Args:
      images: (N, ...), contiguous; others are copied first.
      index: (M,) int64, each in [0, N).

    Returns:
      (M, ...), new.
    """
    return rows(images).index_select(0, index).view(images.dtype).view(len(index), *images.shape[1:])


def rows(images: Tensor) -> Tensor:
    """Returns (N, columns), each image's bytes in the widest integers that hold them; the same memory if contiguous."""
    flat = images.flatten(1).view(torch.uint8)
    wide = next(dtype for dtype in INTEGERS if flat.shape[1] % dtype.itemsize == 0)
    return flat.view(wide)


def uniform(limits: tuple[float, float], images: Tensor, generator: torch.Generator) -> Tensor:
    """Returns a draw for each image in [low, high), shaped to multiply the images."""
    return torch.empty(len(images), 1, 1, 1, device=images.device).uniform_(*limits, generator=generator)


def rounded(pixels: Tensor) -> Tensor:
    """Returns floats as uint8; changes its input."""
    return pixels.round_().clamp_(0, 255).to(torch.int16).to(torch.uint8)  # straight to uint8 takes four times as long


def without_draws(view: Callable[[Tensor], Tensor]) -> Callable[[object], Change]:
    """Returns the batched form of a transform that is the same change whenever it is applied."""
    return lambda transform: lambda images, generator: view(images)
