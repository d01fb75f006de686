"""The F1 score of each class, which several metrics are means of: the harmonic mean of its precision and its recall."""

import numpy as np


def by_class(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes three (..., classes) arrays from (..., classes, classes) numbers of images, by true class and answer.

    They are the F1 score of each class, 0 of one that is not there; whether the class is there, as the truth or the
    answer of an image; and of how many images it is the truth. The numbers may be sums of weights.
    """
    right, true = np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1)
    there = true + counts.sum(axis=-2)
    return 2 * right / np.where(there > 0, there, 1), there > 0, true
