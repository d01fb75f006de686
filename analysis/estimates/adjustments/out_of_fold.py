"""Adjusts each prediction by a number that was fitted without the image it belongs to.

A number that was fitted to some images is never worse on them than the neutral number, if only by chance. So the number
is fitted in turn to all folds but one, and the predictions of that fold are adjusted by it. The adjustment is used if
all images together, each adjusted by a number that was fitted without it, gain more than the standard error of that
gain: if two models cannot be told apart, the simpler one is taken (Breiman, Friedman, Olshen and Stone, "Classification
and Regression Trees", 1984).
"""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.adjustments import temperature
from sweep.analysis.estimates.adjustments.contract import Adjustment, Fitted
from sweep.analysis.estimates.adjustments.gain import Gain, gain
from sweep.analysis.record import Record
from sweep.trainable.metrics.contract import Metric

FOLDS, SEED = 5, 20170806  # used where the sweep has no folds of its own
FEWEST = 2 * FOLDS  # the fewest images that are divided into folds


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """An adjustment, with images to which it is fitted and on which it is tried, by folds.

    Attributes:
      adjustment: the adjustment.
      metric: the metric by which it is fitted.
      labels: (N,) class indices.
      folds: (N,) the number of the fold of each image.
    """

    adjustment: Adjustment
    metric: Metric
    labels: np.ndarray
    folds: np.ndarray

    def adjusted(self, probabilities: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Returns (classes, N) probabilities; each fold is adjusted by the number that is best on the other folds.

        Args:
          probabilities: (classes, N), not yet adjusted.
          counts: (N,) how often each image counts when a number is fitted.
        """
        result = np.array(probabilities, dtype=np.float64)
        for fold in np.unique(self.folds):
            is_in = self.folds == fold
            others = counts * ~is_in
            if others.any():
                number = self.adjustment.fit(self.metric, self.labels, probabilities, others)
                result[:, is_in] = self.adjustment.apply(probabilities[:, is_in], number)
        return result

    def gain(self, probabilities: np.ndarray, counts: np.ndarray) -> Gain:
        """Returns how much predictions gain when they are adjusted; the arguments are those of `adjusted`."""
        return gain(self.metric, self.labels, probabilities, self.adjusted(probabilities, counts), counts)

    def fitted(self, probabilities: np.ndarray, counts: np.ndarray) -> Fitted | None:
        """Returns the adjustment fitted to all images; None if its gain out of fold is not enough.

        The arguments are those of `adjusted`.
        """
        if not self.gain(probabilities, counts).is_enough:
            return None
        number = self.adjustment.fit(self.metric, self.labels, probabilities, counts)
        return None if number == self.adjustment.neutral else Fitted(self.adjustment, number)


def out_of_fold(record: Record, adjustment: Adjustment) -> OutOfFold | None:
    """Returns an adjustment with the validation images of a sweep; None if there are too few images to divide.

    The folds are those of the sweep. If it has none, the images of each class are divided into five folds.
    """
    labels = record.valid_labels
    if len(labels) < FEWEST:
        return None
    return OutOfFold(adjustment, record.metric, labels, _deal_folds(labels) if record.folds is None else record.folds)


def scaled(record: Record, shares: np.ndarray) -> np.ndarray | None:
    """Returns (N, classes) probabilities of the validation images, scaled by a temperature; None for too few images.

    Each fold is scaled by the temperature with which the other folds have the least log loss.

    Args:
      record: the sweep.
      shares: (N, classes) probabilities that are not adjusted.
    """
    adjustment = out_of_fold(record, temperature.ADJUSTMENT)
    return None if adjustment is None else adjustment.adjusted(shares.T, np.ones(len(shares))).T


def _deal_folds(labels: np.ndarray) -> np.ndarray:
    """Returns (N,) the fold of each image; the images of each class are dealt to the folds in a fixed random order."""
    order = np.random.default_rng(SEED).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), int)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds
