"""The decision threshold of two classes: the probability above which the second class is the answer.

Without adjustment, the answer is the more probable class, which is a threshold of 0.5. If the classes differ in size,
or a metric counts one kind of mistake more than the other, another threshold gives a better value (Lipton, Elkan and
Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", 2014). It changes only the answers; the
probabilities that people are given stay as they are.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from sweep.analysis.estimates.adjustments.contract import Adjustment
from sweep.analysis.estimates.intervals import sample
from sweep.trainable.metrics.contract import Metric

SMALLEST = 1e-30  # the least probability, so that its logarithm is finite
EQUAL = 1e-12  # values that differ by less are taken as equal


@dataclass(frozen=True, eq=False)
class Cuts:
    """The K ways in which a threshold can divide n images, with at least one image on each side.

    Attributes:
      order: (n,) numbers of the images, by rising probability of the second class.
      firsts: (K,) for each way, the index in `order` of the first image that is answered with the second class.
      below, above: (K,) the log odds of the second class, for the image before this first one and for the first one.
    """

    order: np.ndarray
    firsts: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @property
    def thresholds(self) -> np.ndarray:
        """(K,) a threshold for each way: half-way, in log odds, between the two images, or 0.5 if that is between."""
        log_odds = np.where((self.below <= 0) & (self.above > 0), 0.0, (self.below + self.above) / 2)
        return expit(log_odds)

    def confusions(self, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Returns (K, 2, 2): for each way, how many images of each true class (row) get each answer (column).

        Args:
          labels: (N,) class indices.
          counts: (N,) how often each image counts.
        """
        class_counts = np.zeros((len(self.order), 2))
        class_counts[np.arange(len(self.order)), labels[self.order]] = counts[self.order]
        sums = np.concatenate([np.zeros((1, 2)), class_counts.cumsum(axis=0)])
        return np.stack([sums[self.firsts], sums[-1] - sums[self.firsts]], axis=2)


def cuts(probabilities: np.ndarray, counts: np.ndarray) -> Cuts:
    """Returns the ways in which a threshold can divide the images that count.

    Args:
      probabilities: (2, N) probabilities of the two classes.
      counts: (N,) how often each image counts; images with 0 are ignored.
    """
    first, second = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    odds = second - first
    images = np.flatnonzero(counts)
    order = images[np.argsort(odds[images], kind="stable")]
    odds = odds[order]
    firsts = 1 + np.flatnonzero(np.diff(odds) > 0)
    return Cuts(order, firsts, odds[firsts - 1], odds[firsts])


def values(metric: Metric, labels: np.ndarray, all_cuts: Cuts, counts: np.ndarray) -> np.ndarray:
    """Returns (K,) values of a metric, one for each cut, the larger the better; minus infinity without a value.

    Args:
      metric: the metric.
      labels: (N,) class indices.
      all_cuts: the K cuts.
      counts: (N,) how often each image counts.
    """
    if metric.counts is not None:
        with np.errstate(all="ignore"):
            scores = metric.sign * metric.counts(all_cuts.confusions(labels, counts))
        return np.where(np.isfinite(scores), scores, -np.inf)
    assert metric.images is not None  # whose scores are larger for better answers, whatever the metric's sign
    assert metric.images.of_classes is not None
    weights = sample(metric, labels, 2).weights(counts[None])[0]
    answers = np.repeat([[0], [1]], len(labels), axis=1)
    first, second = (weights * metric.images.of_classes(labels, answers).astype(float))[:, all_cuts.order]
    sums = np.concatenate([[0.0], np.cumsum(first - second)])
    return second.sum() + sums[all_cuts.firsts]


def fit(metric: Metric, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> float:
    """Returns the threshold with the best value; of equally good ones, the one that is nearest to 0.5.

    It is 0.5 if no threshold divides the images. The arguments are those of `contract.Fit`.
    """
    all_cuts = cuts(probabilities, counts)
    if not len(all_cuts.firsts):
        return 0.5
    cut_values, thresholds = values(metric, labels, all_cuts, counts), all_cuts.thresholds
    best = np.flatnonzero(cut_values >= cut_values.max() - EQUAL)
    return float(thresholds[best[np.abs(logit(thresholds[best])).argmin()]])


def _apply(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Returns (2, N) probabilities with the odds shifted so that the threshold becomes 0.5."""
    products = probabilities * np.array([[threshold], [1 - threshold]])
    return products / products.sum(axis=0)


def _suits(metric: Metric, classes: int) -> bool:
    """Returns whether a threshold can be fitted for a metric.

    It is not fitted for a metric of one class: by the precision or the recall of one class alone, the best threshold
    would answer with this class almost never or almost always.
    """
    return classes == 2 and metric.keeps == "classes" and not metric.is_of_one_class


ADJUSTMENT = Adjustment(
    "threshold",
    suits=_suits,
    fit=fit,
    apply=_apply,
    neutral=0.5,
    is_possible=lambda number: 0 < number < 1,
    divides_logits=False,
)
