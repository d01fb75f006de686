"""95 % intervals of what is measured on the validation images, honest for one image as for a thousand.

A share of images that are right has the interval of Clopper and Pearson ("The use of confidence or fiducial limits
illustrated in the case of the binomial", Biometrika 26, 1934). It stays within 0 and 1, and it holds the truth in at
least 95 of 100 samples whatever the share and however few the images: after 60 of 60 right it reaches down to 94 %.
The other means have no exact interval. Those here are built to have the width of a share's where images are few, and
to become the usual one, two standard errors to either side, where they are many:

- A balanced accuracy is a mean over classes. Its interval is at least as wide as that of a share among as many images
  as its classes are worth, `Sample.size` (an effective sample size, as in Korn and Graubard, "Confidence intervals for
  proportions with small expected number of positive counts estimated from survey data", Survey Methodology 24, 1998),
  and at least as wide as the intervals of its classes together (Zou and Donner, "Construction of confidence limits
  about effect measures", Statistics in Medicine 27, 2008), so that a small class counts for what it does not show.
- A loss has no upper bound, and a long tail of large values. The lower end of its interval is Student's, but no lower
  than zero; the upper end is Student's on the scale of the logarithm, which reaches further.
- A difference is within -1 and 1, or unbounded for a loss. Its interval is Student's.
- Images that all agree have no variance, but the next one need not agree. So the variance of a loss is that with two
  images more, one without loss and one with twice the loss of a guess; that of a difference with one image more to
  either side (Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics
  in Medicine 24, 2005).

Around an estimate that is corrected for a choice, `analysis.estimates.honest`, they stand as around a mean of the
same size.
How often they hold the truth for 1, 2, 5, 20 and 60 images is simulated in the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv, stdtrit

from sweep.analysis.record import Record
from sweep.trainable.metrics.contract import Metric, all_alike

TAIL = 0.025  # beyond either end
Z_95 = 1.959964  # standard errors to either side
FEW_IMAGES = 100  # with fewer, the interval of a share can be over 20 points wide


@dataclass(frozen=True)
class Sample:
    """The validation images, as the metric of a sweep counts them.

    Attributes:
      strata: arrays of image numbers; a mean is the mean over them of the mean in each. All images in one for
        accuracy and loss, a class each for balanced accuracy.
      guess_loss: the loss of an answer that gives each class the same probability; None where an image is right or
        wrong, and so scores 1 or 0.
    """

    strata: Sequence[np.ndarray]
    guess_loss: float | None = None

    @property
    def size(self) -> float:
        """How many images in a single stratum would tell as much: all of them, fewer where classes differ in size."""
        return len(self.strata) ** 2 / sum(1 / len(images) for images in self.strata)

    @property
    def is_small(self) -> bool:
        """Whether so few images are too few to go by."""
        return self.size < FEW_IMAGES

    def weights(self, counts: np.ndarray) -> np.ndarray:
        """(B, N) float32, each row adding up to 1: what each image counts where it was drawn so often.

        Args:
          counts: (B, N), how often each image was drawn; of a class that was not drawn at all, nothing counts.
        """
        weights = np.zeros(counts.shape, np.float32)
        for images in self.strata:
            drawn = counts[:, images]
            weights[:, images] = drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1)
        return weights / weights.sum(axis=1, keepdims=True)

    def mean(self, values: np.ndarray) -> float:
        """The mean over the strata of the mean in each, of (N,) values."""
        return float(np.mean([values[images].mean(dtype=np.float64) for images in self.strata]))

    def interval(self, scores: np.ndarray, mean: float) -> tuple[float, float]:
        """The interval of a mean score.

        Args:
          scores: (N,), 1 where an image is right and 0 where it is not, or its loss.
          mean: of these scores, or what was corrected of it; within their range.
        """
        of_kind = self._share_interval if self.guess_loss is None else self._loss_interval
        return of_kind(scores.astype(np.float64), mean)

    def standard_error(self, scores: np.ndarray) -> float:
        """The standard error of the mean of (N,) scores; never zero, for the next image may differ from all these."""
        if self.guess_loss is not None:
            losses = self._with_two_more(scores)
            return float(losses.std(ddof=1) / np.sqrt(len(losses)))
        low, high = self.interval(scores, self.mean(scores))
        return (high - low) / (2 * Z_95)

    def _share_interval(self, right: np.ndarray, mean: float) -> tuple[float, float]:
        shares = np.array([right[images].mean() for images in self.strata])
        before = float(shares.mean())
        # What a correction took from the mean is taken from each class by the same factor; what it added, likewise.
        shares = shares * (mean / before) if mean < before else 1 - (1 - shares) * _ratio(1 - mean, 1 - before)
        ends = [
            share_interval(share * len(images), len(images)) for share, images in zip(shares, self.strata, strict=True)
        ]
        below, above = np.abs(np.array(ends) - shares[:, None]).T
        low, high = share_interval(mean * self.size, self.size)
        low = min(low, mean - float(np.sqrt((below**2).sum())) / len(self.strata))
        high = max(high, mean + float(np.sqrt((above**2).sum())) / len(self.strata))
        return max(0.0, low), min(1.0, high)

    def _loss_interval(self, losses: np.ndarray, mean: float) -> tuple[float, float]:
        more = self._with_two_more(losses)
        margin = float(stdtrit(len(more) - 1, 1 - TAIL)) * self.standard_error(losses)
        factor = float(np.exp(margin / more.mean()))
        upper_mean = max(mean, mean + float(more.mean() - losses.mean()))
        return max(0.0, mean - margin), upper_mean * factor

    def _with_two_more(self, losses: np.ndarray) -> np.ndarray:
        """The losses, and those of an image without any and of one with twice that of a guess."""
        assert self.guess_loss is not None
        return np.concatenate([losses.astype(np.float64), [0.0, 2 * self.guess_loss]])

    def variance_of_difference(self, apart: np.ndarray) -> float:
        """The variance of the mean of (N,) differences between two scores of each image, by the images alone."""
        size, unit = self.size, self.guess_loss or 1.0
        mean = size * self.mean(apart) / (size + 2)
        pooled = (size * self.mean(apart**2) + 2 * unit**2) / (size + 2) - mean**2
        within = [apart[images].var(dtype=np.float64) / len(images) for images in self.strata]
        return float(max(pooled / (size + 1), sum(within) / len(self.strata) ** 2))

    def interval_of_difference(
        self, difference: float, variance: float, degrees: float | None = None
    ) -> tuple[float, float]:
        """The interval of a difference between two means.

        Args:
          variance: of `variance_of_difference`, or of more than the images.
          degrees: the degrees of freedom of the variance; None for those that the images leave.
        """
        margin = float(stdtrit(self.size + 1 if degrees is None else degrees, 1 - TAIL) * np.sqrt(variance))
        centre = difference * self.size / (self.size + 2)
        low, high = min(difference, centre - margin), max(difference, centre + margin)
        return (low, high) if self.guess_loss is not None else (max(-1.0, low), min(1.0, high))


@lru_cache(maxsize=4)
def sample_of(record: Record) -> Sample:
    """The validation images of a sweep, as its metric counts them; all alike where it is no mean over them.

    A record is read once; a folder that has changed since is another record.
    """
    return sample(record.metric, record.valid_labels, len(record.classes))


def sample(metric: Metric, labels: np.ndarray, classes: int) -> Sample:
    """Images with these labels, as a metric counts them.

    Args:
      labels: (N,) class indices.
    """
    if metric.images is None:
        return Sample(all_alike(labels))
    guess_loss = None if metric.images.guess_loss is None else metric.images.guess_loss(classes)
    return Sample(metric.images.strata(labels), guess_loss)


def share_interval(right: float, images: float) -> tuple[float, float]:
    """The interval of a share by Clopper and Pearson; all of 0 to 1 where there are no images.

    Args:
      right, images: need not be whole numbers; the beta distributions that the interval is made of do not mind.
    """
    right = min(max(right, 0.0), images)
    low = float(betaincinv(right, images - right + 1, TAIL)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, images - right, 1 - TAIL)) if right < images else 1.0
    return low, high


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 1.0
