"""AUC, the area under the ROC curve.

It is the probability that an image of a class gets a larger probability for that class than an image of another class.
With two classes, AUC is that of the second one in the order of the classes. With more, it is the mean over the classes,
each against the rest, as in scikit-learn's `roc_auc_score` with `multi_class="ovr"`. A pair of images with the same
probability counts as half.
"""

import numpy as np

from sweep.trainable.metrics.by_ranks import by_ranks
from sweep.trainable.metrics.contract import Ranks


def _of_order(weights: np.ndarray, is_of_class: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the share of pairs, of an image of the class and one of the rest, that are in the right order."""
    above = _sums(weights, is_of_class, ends)
    before = np.vstack([np.zeros_like(above[:1]), above[:-1]])
    others = _sums(weights, ~is_of_class, ends)
    of_equals = np.diff(others, axis=0, prepend=0)
    pairs = above[-1] * others[-1]
    with np.errstate(invalid="ignore"):
        return (of_equals * (above + before)).sum(axis=0) / (2 * pairs)


def _sums(weights: np.ndarray, are_these: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns how many of these images have at least the probability of each group of equal probabilities."""
    return np.cumsum(weights * are_these[:, None], axis=0, dtype=np.float64)[ends]


def _slopes(is_of_class: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the derivative of the value by the weight of each image.

    For an image of the class, it starts with the share of the rest that comes after it; for an image of the rest, with
    the share of the class that comes before it. The value is subtracted from both, because one more image of a kind
    makes every other image of that kind count less.
    """
    group = np.append(0, np.cumsum(ends)[:-1])
    above, others = np.cumsum(is_of_class)[ends], np.cumsum(~is_of_class)[ends]
    before = (above + np.append(0, above[:-1])) / 2
    behind = others[-1] - (others + np.append(0, others[:-1])) / 2
    share = np.where(is_of_class, behind[group] / others[-1], before[group] / above[-1])
    return (share - share[is_of_class].mean()) / np.where(is_of_class, above[-1], others[-1])


METRIC = by_ranks("auc", "AUC", "an AUC", Ranks(_of_order, _slopes))
