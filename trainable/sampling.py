"""Draws the training images of an epoch: each of them once, or rare classes more often and frequent ones less often."""

import torch
from torch import Tensor

from sweep.trainable.devices import widest


class Sampling:
    """Draws the order of the images of an epoch, which always has as many images as the training split.

    With `balanced` b, a class of n images gets a share of the epoch that is proportional to n**(1 - b), as in Kang et
    al. 2020 (arXiv 1910.09217): 0 keeps the shares of the data, 0.5 takes square roots, 1 makes all classes equal. The
    images of a class come equally often, give or take one: none comes again before all others have had their turn.

    Attributes:
      images: how many images an epoch has.
      counts: (classes,) int64, how many training images each class has.
      shares: (classes,) float64, the share of each class in an epoch; 0 for a class without images.
      times: (classes,) float64, how often an image of each class comes in an epoch on average.
    """

    def __init__(self, labels: Tensor, classes: int, balanced: float | None = None) -> None:
        """Computes the shares of the classes.

        Args:
          labels: (N,) int64 of the training images, on the device on which orders are drawn.
          balanced: in [0, 1]; None means 0.
        """
        self.labels, self.images, self.balanced = labels, len(labels), balanced or 0.0
        self.counts = torch.bincount(labels, minlength=classes)
        powers = torch.where(self.counts > 0, self.counts.to(widest(labels.device)) ** (1 - self.balanced), 0.0)
        self.shares = powers / powers.sum()
        self.times = self.images * self.shares / self.counts.clamp(min=1)

    def order(self, generator: torch.Generator) -> Tensor:
        """Returns (N,) int64, the images of an epoch in their order, without waiting for the device."""
        permutation = torch.randperm(self.images, generator=generator, device=self.labels.device)
        if not self.balanced:
            return permutation
        by_class = permutation[self.labels[permutation].argsort(stable=True)]
        labels = self.labels[by_class]
        starts = self.counts.cumsum(0) - self.counts
        places = torch.arange(self.images, device=labels.device) - starts[labels]  # of each image within its class
        class_images, counts = self._draw_counts(generator)[labels], self.counts[labels]
        times = class_images // counts + (places < class_images % counts)
        images = by_class.repeat_interleave(times, output_size=self.images)
        return images[torch.randperm(self.images, generator=generator, device=labels.device)]

    def _draw_counts(self, generator: torch.Generator) -> Tensor:
        """Returns (classes,) int64, how many images of each class come in an epoch.

        A single random number rounds all of them, so that they add up. Their mean over the draws is exact, so even a
        class whose share is less than one image comes up now and then.
        """
        ends = self.shares.cumsum(0)
        ends = self.images * (ends / ends[-1])  # so that the last one is exact
        offset = torch.rand(1, generator=generator, dtype=ends.dtype, device=ends.device)
        return torch.cat([torch.zeros_like(offset), (ends + offset).floor()]).long().diff()
