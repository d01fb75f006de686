"""What metrics ask of predictions: how often each class is taken for which, and in which order images come."""

from collections.abc import Callable, Sequence

import numpy as np

from sweep.datasets.problems import shown

NAMED = 5  # classes in a message


def falling_order(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the order in which (N,) probabilities fall, and which in that order are the last of their equals."""
    order = np.argsort(-probabilities, kind="stable")
    sorted_ones = probabilities[order]
    return order, np.append(sorted_ones[1:] != sorted_ones[:-1], np.True_)


def confusion(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Returns (classes, classes) int64: how many images of each true class, a row, got each answer, a column."""
    pairs = labels.astype(np.int64) * classes + answers
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def of_counts(counts: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], float]:
    """Returns what computes a value from (N,) labels and (N, classes) logits, given what computes it from counts."""

    def value(labels: np.ndarray, logits: np.ndarray) -> float:
        return float(counts(confusion(labels, logits.argmax(axis=1), logits.shape[1])))

    return value


def every_class_needed(labels: np.ndarray, classes: Sequence[str]) -> str:
    """Says which classes have no image, and what to do; empty where each has one.

    Args:
      labels: (N,) class indices.
    """
    missing = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    if not len(missing):
        return ""
    names = ", ".join(shown(classes[label]) for label in missing[:NAMED])
    more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
    return (
        f"every class must have an image, and there is none of {names}{more}; validate on a split that has every "
        "class, or take a metric that does not need it, such as macro_f1"
    )


def one_class_alone(labels: np.ndarray, classes: Sequence[str]) -> str:
    """Says where all images are of one class, and what to do; empty where they are not.

    Args:
      labels: (N,) class indices.
    """
    if len(np.unique(labels)) > 1:
        return ""
    return f"there must be two classes, and all are of {shown(classes[labels[0]])}; validate on a split that has more"
