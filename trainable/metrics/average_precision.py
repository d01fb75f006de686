"""Average precision: the mean precision at which the images of a class are found, the most probable ones first.

With two classes it is that of the second one, in the order of the classes. With more it is the mean over the classes,
each against the rest, as in scikit-learn's `average_precision_score` with `average="macro"`. It is the sum over the
thresholds of the precision at a threshold times the recall that it adds; nothing is interpolated.
"""

import numpy as np

from sweep.trainable.metrics.by_ranks import by_ranks
from sweep.trainable.metrics.contract import Ranks


def _of_order(weights: np.ndarray, is_of_class: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the sum over the groups of images with the same probability."""
    taken = np.cumsum(weights, axis=0, dtype=np.float64)[ends]
    right = np.cumsum(weights * is_of_class[:, None], axis=0, dtype=np.float64)[ends]
    added = np.diff(right, axis=0, prepend=0)
    with np.errstate(invalid="ignore"):
        return (added * right / np.where(taken > 0, taken, 1)).sum(axis=0) / right[-1]


def _slopes(is_of_class: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the derivative of the value by the weight of each image.

    One more image of the class adds the precision at its place, and changes the precision at all later places.
    """
    group = np.append(0, np.cumsum(ends)[:-1])
    taken, right = np.flatnonzero(ends) + 1, np.cumsum(is_of_class)[ends]
    added, precision = np.diff(right, prepend=0), right / taken
    raised = np.cumsum((added * (1 - precision) / taken)[::-1])[::-1]
    lowered = np.cumsum((added * precision / taken)[::-1])[::-1]
    value = (added * precision).sum() / right[-1]
    return np.where(is_of_class, (precision + raised)[group] - value, -lowered[group]) / right[-1]


METRIC = by_ranks("average_precision", "average precision", "an average precision", Ranks(_of_order, _slopes))
