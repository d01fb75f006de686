"""Estimates how much better adjusted predictions are than the same ones unadjusted, and how certain that is."""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.intervals import sample
from sweep.trainable.metrics.contract import Metric

STEP = 1e-4  # the share of all images that is added to a count to see how the value changes
SMALLEST = 1e-30  # replaces the weight of a stratum without images, because 0 cannot be divided by
UNSEEN = 2  # images that are added, one better and one worse, each by as much as the image that changes the value most


@dataclass(frozen=True)
class Gain:
    """The difference in value between two ways to predict, with its standard error; positive is better."""

    value: float
    standard_error: float

    @property
    def is_enough(self) -> bool:
        """Whether the gain is larger than its standard error; False where the metric has no value."""
        return self.value > self.standard_error


def gain(metric: Metric, labels: np.ndarray, before: np.ndarray, after: np.ndarray, counts: np.ndarray) -> Gain:
    """Returns how much better one way to predict is than another on the same images.

    The standard error is that of a weighted mean of the gains of the images. A metric made of counts is such a mean to
    first order (the infinitesimal jackknife of Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982).
    If all images agree they have no variance, although the next image need not agree. So two images are added to the
    variance, as Agresti and Min do ("Simple improved confidence intervals for comparing matched proportions",
    Statistics in Medicine 24, 2005).

    Args:
      metric: a metric that is a mean of per-image scores, or made of counts.
      labels: (N,) class indices.
      before, after: (classes, N) probabilities of the two ways; the largest one of an image is its answer.
      counts: (N,) how often each image counts.
    """
    value, contributions = (_by_means if metric.counts is None else _by_counts)(metric, labels, before, after, counts)
    variances = np.square(contributions)
    return Gain(value, float(np.sqrt(variances.sum() + UNSEEN * variances.max())))


def _by_means(
    metric: Metric, labels: np.ndarray, before: np.ndarray, after: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns the gain, and (N,) the weighted deviation of each image's gain from the mean of its stratum."""
    assert metric.images is not None
    scores_before, scores_after = (
        metric.images.of_probabilities(labels, each).astype(float) for each in (before, after)
    )
    images, differences = sample(metric, labels, len(before)), scores_after - scores_before
    weights = images.weights(counts[None])[0].astype(float)
    value = float(weights @ differences)
    for stratum in images.strata:
        differences[stratum] -= weights[stratum] @ differences[stratum] / max(weights[stratum].sum(), SMALLEST)
    return value, weights * differences


def _by_counts(
    metric: Metric, labels: np.ndarray, before: np.ndarray, after: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns the gain by a metric made of counts, and (N,) what each image contributes to it, to first order."""
    values, slopes = zip(*(_value(metric, labels, each, counts) for each in (before, after)), strict=True)
    return values[1] - values[0], counts * (slopes[1] - slopes[0])


def _value(
    metric: Metric, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns the value of a metric made of counts, and (N,) how much it grows with the weight of each image."""
    assert metric.counts is not None
    answers, classes = probabilities.argmax(axis=0), len(probabilities)
    confusion = np.bincount(labels * classes + answers, counts, classes**2).reshape(classes, classes)
    step = STEP * counts.sum()
    raised = confusion + step * np.eye(classes**2).reshape(classes, classes, classes, classes)
    value = metric.counts(confusion)
    return float(value), ((metric.counts(raised) - value) / step)[labels, answers]
