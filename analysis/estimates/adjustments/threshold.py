"""The decision threshold of two classes: which probability of the second one it takes to answer with it.

An answer is the more probable class, which is a threshold of 0.5. Where classes are unequal, or a metric counts one
kind of mistake more than the other, another threshold has a better value (Lipton, Elkan and Naryanaswamy, "Optimal
thresholding of classifiers to maximize F1 measure", 2014). It changes the answers alone: probabilities stay as they
are.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from sweep.analysis.estimates.adjustments.contract import Adjustment
from sweep.analysis.estimates.intervals import sample
from sweep.trainable.metrics.contract import Metric

SMALLEST = 1e-30  # probability, whose logarithm is a number
EQUAL = 1e-12  # values that differ by less are the same


@dataclass(frozen=True, eq=False)
class Cuts:
    """All the ways in which a threshold can part some images; at least one image is on either side.

    Attributes:
      order: (n,) numbers of the images, by the probability of the second class, the least first.
      firsts: (K,) the place in `order` of the first image that is answered with the second class.
      below, above: (K,) the log odds of the last image before that and of this one.
    """

    order: np.ndarray
    firsts: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @property
    def thresholds(self) -> np.ndarray:
        """(K,): a threshold half-way, in log odds, between the two images; 0.5 itself where it parts them so."""
        between = np.where((self.below <= 0) & (self.above > 0), 0.0, (self.below + self.above) / 2)
        return expit(between)

    def confusions(self, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """(K, 2, 2): how often an image of a class, the row, got an answer, the column.

        Args:
          labels: (N,) class indices.
          counts: (N,) how often each image counts.
        """
        counted = np.zeros((len(self.order), 2))
        counted[np.arange(len(self.order)), labels[self.order]] = counts[self.order]
        upto = np.concatenate([np.zeros((1, 2)), counted.cumsum(axis=0)])
        return np.stack([upto[self.firsts], upto[-1] - upto[self.firsts]], axis=2)


def cuts(probabilities: np.ndarray, counts: np.ndarray) -> Cuts:
    """The cuts between the images that count.

    Args:
      probabilities: (2, N).
      counts: (N,).
    """
    first, second = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    odds = second - first
    counting = np.flatnonzero(counts)
    order = counting[np.argsort(odds[counting], kind="stable")]
    odds = odds[order]
    firsts = 1 + np.flatnonzero(np.diff(odds) > 0)
    return Cuts(order, firsts, odds[firsts - 1], odds[firsts])


def values(metric: Metric, labels: np.ndarray, found: Cuts, counts: np.ndarray) -> np.ndarray:
    """(K,): the value of a metric at each cut, the larger the better; minus infinity where there is none.

    Args:
      labels: (N,) class indices.
      counts: (N,) how often each image counts.
    """
    if metric.counts is not None:
        with np.errstate(all="ignore"):
            scores = metric.sign * metric.counts(found.confusions(labels, counts))
        return np.where(np.isfinite(scores), scores, -np.inf)
    assert metric.images is not None
    assert metric.images.of_classes is not None
    weights = sample(metric, labels, 2).weights(counts[None])[0]
    answers = np.repeat([[0], [1]], len(labels), axis=1)
    first, second = (weights * metric.images.of_classes(labels, answers).astype(float))[:, found.order]
    upto = np.concatenate([[0.0], np.cumsum(first - second)])
    return second.sum() + upto[found.firsts]


def fit(metric: Metric, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> float:
    """Returns the threshold with the best value, of equals the one nearest to 0.5; 0.5 where none parts the images."""
    found = cuts(probabilities, counts)
    if not len(found.firsts):
        return 0.5
    of_cuts, thresholds = values(metric, labels, found, counts), found.thresholds
    best = np.flatnonzero(of_cuts >= of_cuts.max() - EQUAL)
    return float(thresholds[best[np.abs(logit(thresholds[best])).argmin()]])


def _apply(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """The probabilities that there would be if the odds of the second class were so much larger or smaller."""
    weighted = probabilities * np.array([[threshold], [1 - threshold]])
    return weighted / weighted.sum(axis=0)


def _suits(metric: Metric, classes: int) -> bool:
    """Returns whether a threshold can be fitted for a metric.

    By the precision or the recall of one class alone, the best threshold answers with it almost never or almost always.
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
