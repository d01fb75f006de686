"""The F1 score of each class, the harmonic mean of its precision and its recall; several metrics are means of it."""

import numpy as np


def by_class(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the F1 scores of all classes from (..., classes, classes) confusion matrices, true classes in rows.

    The entries may be sums of weights.

    Returns:
      Three (..., classes) arrays: the F1 score, 0 for a class that does not occur; whether the class occurs, as the
      truth or as an answer; and the number of images that are of the class.
    """
    right, class_sizes = np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1)
    occurrences = class_sizes + counts.sum(axis=-2)
    return 2 * right / np.where(occurrences > 0, occurrences, 1), occurrences > 0, class_sizes
