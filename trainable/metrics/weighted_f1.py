"""Weighted F1: the mean over the images of the F1 score of their true class, so that a class counts by its size."""

import numpy as np

from sweep.trainable.metrics.contract import PERCENT, Metric
from sweep.trainable.metrics.f1 import by_class
from sweep.trainable.metrics.predictions import of_counts


def _of_counts(counts: np.ndarray) -> np.ndarray:
    f1, _, class_sizes = by_class(counts)
    return (f1 * class_sizes).sum(axis=-1) / class_sizes.sum(axis=-1)


METRIC = Metric(
    "weighted_f1",
    words="validation weighted F1",
    short="weighted F1",
    one="a weighted F1",
    value=of_counts(_of_counts),
    counts=_of_counts,
    scale=PERCENT,
    favours_large_classes=True,
)
