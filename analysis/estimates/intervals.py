"""95 % intervals of means over the validation images, which also hold where there are very few images.

A share of images that are right has the interval of Clopper and Pearson ("The use of confidence or fiducial limits
illustrated in the case of the binomial", Biometrika 26, 1934). It stays within 0 and 1, and it contains the truth in at
least 95 of 100 samples, whatever the share and however few the images: if 60 of 60 are right, it reaches down to 94 %.
Other means have no exact interval. The intervals here are about as wide as that of a share where images are few, and
become the usual one, two standard errors to either side, where images are many:

- A balanced accuracy is a mean over classes. Its interval is at least as wide as that of a share among
  `WeightedImages.size` images (an effective sample size, as in Korn and Graubard, "Confidence intervals for proportions
  with small expected number of positive counts estimated from survey data", Survey Methodology 24, 1998). It is also at
  least as wide as the intervals of its classes together (Zou and Donner, "Construction of confidence limits about
  effect measures", Statistics in Medicine 27, 2008), so that the uncertainty of a small class is included.
- A loss has no upper bound, and a long tail of large values. The lower end of its interval is Student's, but no lower
  than zero. The upper end is Student's on the scale of the logarithm, which reaches further.
- A difference is within -1 and 1, or unbounded for a loss. Its interval is Student's.
- If all images agree they have no variance, although the next image need not agree. So images are added. The variance
  of a loss is computed with two more images, one without loss and one with twice the loss of a guess; the variance of
  a difference with one more image to either side (Agresti and Min, "Simple improved confidence intervals for comparing
  matched proportions", Statistics in Medicine 24, 2005).

An estimate that is corrected for a choice (`analysis.estimates.honest`) gets the interval of a mean of the same size.
How often the intervals contain the truth for 1, 2, 5, 20 and 60 images is simulated in the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv, stdtrit

from sweep.analysis.record import Record
from sweep.trainable.metrics.contract import Metric, all_alike

TAIL = 0.025  # the probability beyond each end
Z_95 = 1.959964  # standard errors to either side
FEW_IMAGES = 100  # with fewer, the interval of a share can be over 20 points wide


@dataclass(frozen=True)
class WeightedImages:
    """A set of images, with the weights that a metric gives them.

    Attributes:
      strata: arrays of image numbers; a mean is the mean over these arrays of the mean within each. Accuracy and loss
        have a single array with all images, balanced accuracy one for each class.
      guess_loss: the loss of an answer that gives each class the same probability; None where each image scores 1
        (right) or 0 (wrong).
    """

    strata: Sequence[np.ndarray]
    guess_loss: float | None = None

    @property
    def size(self) -> float:
        """The effective number of images: all of them, but fewer if the strata differ in size."""
        return len(self.strata) ** 2 / sum(1 / len(images) for images in self.strata)

    @property
    def is_small(self) -> bool:
        """Whether there are so few images that the interval of a share can be over 20 points wide."""
        return self.size < FEW_IMAGES

    def weights(self, counts: np.ndarray) -> np.ndarray:
        """Returns (B, N) float32 weights of the images in each draw; each row adds up to 1.

        Args:
          counts: (B, N), how often each image was drawn. A stratum of which nothing was drawn does not count.
        """
        weights = np.zeros(counts.shape, np.float32)
        for images in self.strata:
            stratum_counts = counts[:, images]
            weights[:, images] = stratum_counts / np.maximum(stratum_counts.sum(axis=1, keepdims=True), 1)
        return weights / weights.sum(axis=1, keepdims=True)

    def mean(self, values: np.ndarray) -> float:
        """Returns the mean of (N,) values: the mean over the strata of the mean within each."""
        return float(np.mean([values[images].mean(dtype=np.float64) for images in self.strata]))

    def interval(self, scores: np.ndarray, mean: float) -> tuple[float, float]:
        """Returns the 95 % interval of a mean score.

        Args:
          scores: (N,), 1 for an image that is right and 0 for one that is wrong, or the loss of each image.
          mean: the mean of the scores, or the corrected mean, around which the interval is put; within their range.
        """
        compute_interval = self._share_interval if self.guess_loss is None else self._loss_interval
        return compute_interval(scores.astype(np.float64), mean)

    def standard_error(self, scores: np.ndarray) -> float:
        """Returns the standard error of the mean of (N,) scores; never zero, since the next image may differ."""
        if self.guess_loss is not None:
            losses = self._with_two_more(scores)
            return float(losses.std(ddof=1) / np.sqrt(len(losses)))
        low, high = self.interval(scores, self.mean(scores))
        return (high - low) / (2 * Z_95)

    def _share_interval(self, right: np.ndarray, mean: float) -> tuple[float, float]:
        shares = np.array([right[images].mean() for images in self.strata])
        raw_mean = float(shares.mean())
        # A correction of the mean changes the share of each class by the same factor: the share of right images where
        # the mean became smaller, the share of wrong ones where it became larger.
        shares = shares * (mean / raw_mean) if mean < raw_mean else 1 - (1 - shares) * _ratio(1 - mean, 1 - raw_mean)
        ends = [
            share_interval(share * len(images), len(images)) for share, images in zip(shares, self.strata, strict=True)
        ]
        margins_below, margins_above = np.abs(np.array(ends) - shares[:, None]).T
        low, high = share_interval(mean * self.size, self.size)
        low = min(low, mean - float(np.sqrt((margins_below**2).sum())) / len(self.strata))
        high = max(high, mean + float(np.sqrt((margins_above**2).sum())) / len(self.strata))
        return max(0.0, low), min(1.0, high)

    def _loss_interval(self, losses: np.ndarray, mean: float) -> tuple[float, float]:
        extended_losses = self._with_two_more(losses)
        margin = float(stdtrit(len(extended_losses) - 1, 1 - TAIL)) * self.standard_error(losses)
        factor = float(np.exp(margin / extended_losses.mean()))
        upper_mean = max(mean, mean + float(extended_losses.mean() - losses.mean()))
        return max(0.0, mean - margin), upper_mean * factor

    def _with_two_more(self, losses: np.ndarray) -> np.ndarray:
        """Returns the losses, with those of two more images: one without loss, one with twice the loss of a guess."""
        assert self.guess_loss is not None
        return np.concatenate([losses.astype(np.float64), [0.0, 2 * self.guess_loss]])

    def variance_of_difference(self, differences: np.ndarray) -> float:
        """Returns the variance, from the choice of the images, of a mean difference.

        Args:
          differences: (N,) the difference between two scores of each image.
        """
        size, unit = self.size, self.guess_loss or 1.0
        mean = size * self.mean(differences) / (size + 2)
        pooled = (size * self.mean(differences**2) + 2 * unit**2) / (size + 2) - mean**2
        variances = [differences[images].var(dtype=np.float64) / len(images) for images in self.strata]
        return float(max(pooled / (size + 1), sum(variances) / len(self.strata) ** 2))

    def interval_of_difference(
        self, difference: float, variance: float, degrees: float | None = None
    ) -> tuple[float, float]:
        """Returns the 95 % interval of a difference between two means.

        Args:
          difference: the difference around which the interval is put.
          variance: what `variance_of_difference` returns, or a variance with further sources than the images.
          degrees: the degrees of freedom of the variance; None for those that follow from the number of images.
        """
        margin = float(stdtrit(self.size + 1 if degrees is None else degrees, 1 - TAIL) * np.sqrt(variance))
        centre = difference * self.size / (self.size + 2)
        low, high = min(difference, centre - margin), max(difference, centre + margin)
        return (low, high) if self.guess_loss is not None else (max(-1.0, low), min(1.0, high))


@lru_cache(maxsize=4)
def sample_of(record: Record) -> WeightedImages:
    """Returns the validation images of a sweep, with the weights that its metric gives them.

    All images count alike if the metric is not a mean over images. The result is computed once for each `Record`
    object.
    """
    return sample(record.metric, record.valid_labels, len(record.classes))


def sample(metric: Metric, labels: np.ndarray, classes: int) -> WeightedImages:
    """Returns a set of images, with the weights that a metric gives them.

    Args:
      metric: the metric; all images count alike if it is not a mean over images.
      labels: (N,) class indices.
      classes: how many classes there are.
    """
    if metric.images is None:
        return WeightedImages(all_alike(labels))
    guess_loss = None if metric.images.guess_loss is None else metric.images.guess_loss(classes)
    return WeightedImages(metric.images.strata(labels), guess_loss)


def share_interval(right: float, images: float) -> tuple[float, float]:
    """Returns the 95 % interval of a share by Clopper and Pearson; 0 to 1 if there are no images.

    Args:
      right, images: how many of how many images are right. They need not be whole numbers, because the interval is
        made of beta distributions.
    """
    right = min(max(right, 0.0), images)
    low = float(betaincinv(right, images - right + 1, TAIL)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, images - right, 1 - TAIL)) if right < images else 1.0
    return low, high


def _ratio(part: float, total: float) -> float:
    return part / total if total > 0 else 1.0
