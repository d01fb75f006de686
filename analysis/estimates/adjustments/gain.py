"""What adjusted predictions are better by than those that are not, and how sure that is."""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.intervals import sample
from sweep.trainable.metrics.contract import Metric

STEP = 1e-4  # of all images, added to a count to see what that is worth
SMALLEST = 1e-30  # weight of a stratum without images
UNSEEN = 2  # images, one gained and one lost, each worth as much as the one that changes the value most


@dataclass(frozen=True)
class Gain:
    """What predictions are better by, the larger the better, and its standard error."""

    value: float
    standard_error: float

    @property
    def is_enough(self) -> bool:
        """Whether it is more than its standard error; not where the metric has no value."""
        return self.value > self.standard_error


def gain(metric: Metric, labels: np.ndarray, before: np.ndarray, after: np.ndarray, counts: np.ndarray) -> Gain:
    """Returns what one way to predict is better by than another on the same images.

    The standard error is that of a weighted mean of what each image gains. A metric made of counts is one to first
    order (the infinitesimal jackknife of Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982).
    Images that all agree have no variance, but the next one need not agree. So two more are added to it, as Agresti
    and Min do ("Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine 24,
    2005).

    Args:
      metric: a mean of scores of images, or made of counts.
      labels: (N,) class indices.
      before, after: (classes, N) probabilities, whose largest of an image is its answer.
      counts: (N,) how often each image counts.
    """
    value, of_images = (_by_means if metric.counts is None else _by_counts)(metric, labels, before, after, counts)
    variances = np.square(of_images)
    return Gain(value, float(np.sqrt(variances.sum() + UNSEEN * variances.max())))


def _by_means(
    metric: Metric, labels: np.ndarray, before: np.ndarray, after: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns the gain, and (N,) how far what each image adds to it is from the mean of its stratum."""
    assert metric.images is not None
    of_before, of_after = (metric.images.of_probabilities(labels, each).astype(float) for each in (before, after))
    images, apart = sample(metric, labels, len(before)), of_after - of_before
    weights = images.weights(counts[None])[0].astype(float)
    value = float(weights @ apart)
    for stratum in images.strata:
        apart[stratum] -= weights[stratum] @ apart[stratum] / max(weights[stratum].sum(), SMALLEST)
    return value, weights * apart


def _by_counts(
    metric: Metric, labels: np.ndarray, before: np.ndarray, after: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns the gain, and (N,) the same of a metric made of counts, to first order."""
    values, slopes = zip(*(_value(metric, labels, each, counts) for each in (before, after)), strict=True)
    return values[1] - values[0], counts * (slopes[1] - slopes[0])


def _value(
    metric: Metric, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns the value of a metric made of counts, and (N,) by how much it grows with what each image counts."""
    assert metric.counts is not None
    answers, classes = probabilities.argmax(axis=0), len(probabilities)
    counted = np.bincount(labels * classes + answers, counts, classes**2).reshape(classes, classes)
    step = STEP * counts.sum()
    more = counted + step * np.eye(classes**2).reshape(classes, classes, classes, classes)
    value = metric.counts(counted)
    return float(value), ((metric.counts(more) - value) / step)[labels, answers]
