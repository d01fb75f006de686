"""Images to be changed, the ways to change them, and whether what comes out is distributed as it should be."""

import math

import albumentations as A
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sweep.datasets.augment.batched import batched
from sweep.datasets.augment.pipeline import per_image


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photos(n: int, height: int = 16, width: int = 16) -> Tensor:
    """Returns smooth colour images."""
    coarse = torch.rand(n, 3, 4, 4, generator=generator(1))
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1).mul(255).to(torch.uint8)


def copies(n: int) -> Tensor:
    return photos(1).expand(n, -1, -1, -1).contiguous()


def noise(n: int, height: int = 16, width: int = 16) -> Tensor:
    return torch.randint(0, 256, (n, 3, height, width), dtype=torch.uint8, generator=generator())


def run_batched(pipeline: A.Compose, images: Tensor, seed: int = 0) -> Tensor:
    change = batched(pipeline)
    assert change is not None
    return change(images, generator(seed))


def run_on_all(pipeline: A.Compose, images: Tensor, seed: int = 0) -> Tensor:
    """Runs it as on a GPU, and on one where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    change = batched(pipeline, on_all=True)
    assert change is not None
    return change(images.to(device), torch.Generator(device).manual_seed(seed)).cpu()


on_both = pytest.mark.parametrize("run", [run_batched, run_on_all])
on_all_three = pytest.mark.parametrize("run", [per_image, run_batched, run_on_all])


def assert_as_albumentations(
    transform: A.BasicTransform, largest: int, share: float, height: int = 16, width: int = 16
) -> None:
    """Asserts that a transform with nothing left to chance has a batched form that does the same.

    Args:
      largest: the difference that a byte may have.
      share: of the bytes that may differ.
    """
    grey = noise(20, height, width)[:, :1].expand(-1, 3, -1, -1).contiguous()
    pipeline = A.Compose([transform])
    for images in (noise(20, height, width), photos(20, height, width), grey):
        slow = per_image(pipeline, images, 0).int()
        for run in (run_batched, run_on_all):
            difference = (run(pipeline, images).int() - slow).abs()
            assert difference.max() <= largest
            assert (difference > 0).float().mean() <= share


def cdf_distance(a: Tensor, b: Tensor) -> Tensor:
    """Returns (F,), the Kolmogorov-Smirnov distance of each feature of two samples, (N, F)."""
    a, b = a.T.sort(1).values.contiguous(), b.T.sort(1).values.contiguous()
    both = torch.cat([a, b], 1)
    below = [torch.searchsorted(sample, both, right=True) / sample.shape[1] for sample in (a, b)]
    return (below[0] - below[1]).abs().amax(1)


def chi_square(counts: Tensor, shares: Tensor) -> float:
    """Returns how far the counts are from the shares: over 1 once in 1,000 times if those are the probabilities."""
    expected = counts.sum() * shares.double() / shares.sum()
    freedom = len(counts) - 1
    limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * math.sqrt(2 / (9 * freedom))) ** 3  # Wilson and Hilferty, 1931
    return (((counts - expected) ** 2 / expected).sum() / limit).item()
