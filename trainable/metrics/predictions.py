"""What metrics ask of predictions: how often each class is taken for which, and in which order images come."""

from collections.abc import Callable, Sequence

import numpy as np

from datasets.problems import shown

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


def classes_without_images(labels: np.ndarray, classes: Sequence[str]) -> str:
    """Returns the names of the classes that no image has, with commas between; empty where there are none."""
    missing = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    names = [shown(classes[label]) for label in missing[:NAMED]]
    return ", ".join(names) + (f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else "")
