"""Which training images an epoch has: each of them once, or the rare classes more often and the frequent ones less."""

import torch
from torch import Tensor

from sweep.trainable.devices import widest


class Sampling:
    """Draws the order of the images of an epoch, which always has as many as there are training images.

    With `balanced` b a class of n images has a share in an epoch that is proportional to n**(1 - b), as in Kang et al.
    2020 (arXiv 1910.09217): as the data has it for 0, the square root for 0.5, and all classes alike for 1. Within a
    class each image comes as often as any other, but for one time: all have had their turn before one comes again.

    Attributes:
      images: how many an epoch has.
      shares: (classes,) float64, the share of each class in an epoch; 0 of one without images.
      times: (classes,) float64, how often an image of each class comes in an epoch, in the mean.
    """

    def __init__(self, labels: Tensor, classes: int, balanced: float | None = None) -> None:
        """Args:
        labels: (N,) int64 of the training images, on the device where orders are drawn.
        balanced: in [0, 1]; None is 0.
        """
        self.labels, self.images, self.balanced = labels, len(labels), balanced or 0.0
        self.counts = torch.bincount(labels, minlength=classes)
        powers = torch.where(self.counts > 0, self.counts.to(widest(labels.device)) ** (1 - self.balanced), 0.0)
        self.shares = powers / powers.sum()
        self.times = self.images * self.shares / self.counts.clamp(min=1)

    def order(self, generator: torch.Generator) -> Tensor:
        """Returns (N,) int64, the images of an epoch in their order; nothing of it waits for the device."""
        mixed = torch.randperm(self.images, generator=generator, device=self.labels.device)
        if not self.balanced:
            return mixed
        by_class = mixed[self.labels[mixed].argsort(stable=True)]
        labels = self.labels[by_class]
        starts = self.counts.cumsum(0) - self.counts
        places = torch.arange(self.images, device=labels.device) - starts[labels]  # of each image within its class
        wanted, counts = self._draw_counts(generator)[labels], self.counts[labels]
        times = wanted // counts + (places < wanted % counts)
        chosen = by_class.repeat_interleave(times, output_size=self.images)
        return chosen[torch.randperm(self.images, generator=generator, device=labels.device)]

    def _draw_counts(self, generator: torch.Generator) -> Tensor:
        """Returns (classes,) int64, how many images of each class come: all rounded by one draw, so that they add up.

        The mean over the draws is exact, so a class whose part of an epoch is less than one image comes as well.
        """
        ends = self.shares.cumsum(0)
        ends = self.images * (ends / ends[-1])  # the last one is exact
        drawn = torch.rand(1, generator=generator, dtype=ends.dtype, device=ends.device)
        return torch.cat([torch.zeros_like(drawn), (ends + drawn).floor()]).long().diff()
