"""Average precision: the mean precision at which the images of a class are found, the most probable ones first.

With two classes it is that of the second one, in the order of the classes. With more it is the mean over the classes,
each against the rest, as in scikit-learn's `average_precision_score` with `average="macro"`. It is the sum over the
thresholds of the precision at a threshold times the recall that it adds; nothing is interpolated.
"""

import numpy as np

from sweep.trainable.metrics.by_ranks import by_ranks
from sweep.trainable.metrics.contract import Ranks


def _of_order(weights: np.ndarray, is_of_class: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the average precision, a sum over the groups of images with the same probability."""
    positives = np.cumsum(weights, axis=0, dtype=np.float64)[ends]
    true_positives = np.cumsum(weights * is_of_class[:, None], axis=0, dtype=np.float64)[ends]
    gains = np.diff(true_positives, axis=0, prepend=0)
    with np.errstate(invalid="ignore"):
        return (gains * true_positives / np.where(positives > 0, positives, 1)).sum(axis=0) / true_positives[-1]


def _slopes(is_of_class: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the derivative of the value by the weight of each image.

    One more image of the class adds the precision at its place, and changes the precision at all later places.
    """
    group = np.append(0, np.cumsum(ends)[:-1])
    positives, true_positives = np.flatnonzero(ends) + 1, np.cumsum(is_of_class)[ends]
    gains, precision = np.diff(true_positives, prepend=0), true_positives / positives
    increase = np.cumsum((gains * (1 - precision) / positives)[::-1])[::-1]
    decrease = np.cumsum((gains * precision / positives)[::-1])[::-1]
    value = (gains * precision).sum() / true_positives[-1]
    return np.where(is_of_class, (precision + increase)[group] - value, -decrease[group]) / true_positives[-1]


METRIC = by_ranks("average_precision", "average precision", "an average precision", Ranks(_of_order, _slopes))
