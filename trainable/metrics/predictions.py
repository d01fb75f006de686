"""Computations on predictions, for metrics: confusion matrices, and the order of images by probability."""

from collections.abc import Callable, Sequence

import numpy as np

from sweep.datasets.problems import shown

NAMED = 5  # how many classes a message lists


def falling_order(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the order in which (N,) probabilities fall, and for each place whether it is the last of equal ones."""
    order = np.argsort(-probabilities, kind="stable")
    sorted_probabilities = probabilities[order]
    return order, np.append(sorted_probabilities[1:] != sorted_probabilities[:-1], np.True_)


def confusion(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Returns a (classes, classes) int64 matrix: how many images of each true class (row) got each answer (column)."""
    pairs = labels.astype(np.int64) * classes + answers
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def of_counts(counts: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], float]:
    """Returns a function of (N,) labels and (N, classes) logits, made from one of confusion matrices."""

    def value(labels: np.ndarray, logits: np.ndarray) -> float:
        return float(counts(confusion(labels, logits.argmax(axis=1), logits.shape[1])))

    return value


def every_class_needed(labels: np.ndarray, classes: Sequence[str]) -> str:
    """Returns a message that names the classes without an image and says what to do; empty if every class has one.

    Args:
      labels: (N,) class indices.
    """
    empty_classes = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    if not len(empty_classes):
        return ""
    names = ", ".join(shown(classes[label]) for label in empty_classes[:NAMED])
    ending = f" and {len(empty_classes) - NAMED:,} more" if len(empty_classes) > NAMED else ""
    return (
        f"every class must have an image, and there is none of {names}{ending}; validate on a split that has every "
        "class, or take a metric that does not need it, such as macro_f1"
    )


def one_class_alone(labels: np.ndarray, classes: Sequence[str]) -> str:
    """Returns a message that says what to do if all images are of one class; empty if they are not.

    Args:
      labels: (N,) class indices.
    """
    if len(np.unique(labels)) > 1:
        return ""
    return f"there must be two classes, and all are of {shown(classes[labels[0]])}; validate on a split that has more"
