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
    """Returns the share of pairs in the right order; a pair is an image of the class and one of the rest."""
    true_positives = _sums(weights, is_of_class, ends)
    previous = np.vstack([np.zeros_like(true_positives[:1]), true_positives[:-1]])
    false_positives = _sums(weights, ~is_of_class, ends)
    false_in_group = np.diff(false_positives, axis=0, prepend=0)
    pairs = true_positives[-1] * false_positives[-1]
    with np.errstate(invalid="ignore"):
        return (false_in_group * (true_positives + previous)).sum(axis=0) / (2 * pairs)


def _sums(weights: np.ndarray, is_counted: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns, for each group of equal probabilities, how many counted images have at least its probability."""
    return np.cumsum(weights * is_counted[:, None], axis=0, dtype=np.float64)[ends]


def _slopes(is_of_class: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the derivative of the value by the weight of each image.

    For an image of the class, it starts with the share of the rest that comes after it; for an image of the rest, with
    the share of the class that comes before it. The value is subtracted from both, because one more image of a kind
    makes every other image of that kind count less.
    """
    group = np.append(0, np.cumsum(ends)[:-1])
    true_positives, false_positives = np.cumsum(is_of_class)[ends], np.cumsum(~is_of_class)[ends]
    class_before = (true_positives + np.append(0, true_positives[:-1])) / 2
    rest_after = false_positives[-1] - (false_positives + np.append(0, false_positives[:-1])) / 2
    share = np.where(is_of_class, rest_after[group] / false_positives[-1], class_before[group] / true_positives[-1])
    return (share - share[is_of_class].mean()) / np.where(is_of_class, true_positives[-1], false_positives[-1])


METRIC = by_ranks("auc", "AUC", "an AUC", Ranks(_of_order, _slopes))
