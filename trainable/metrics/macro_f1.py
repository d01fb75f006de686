"""Macro F1: the mean over the classes of the F1 score, so that each class counts alike.

A class that is neither the truth nor the answer of any image is left out of the mean, as in scikit-learn's `f1_score`.
"""

import numpy as np

from sweep.trainable.metrics.contract import PERCENT, Metric
from sweep.trainable.metrics.f1 import by_class
from sweep.trainable.metrics.predictions import of_counts


def _of_counts(counts: np.ndarray) -> np.ndarray:
    f1, occurs, _ = by_class(counts)
    return f1.sum(axis=-1) / occurs.sum(axis=-1)


METRIC = Metric(
    "macro_f1",
    words="validation macro F1",
    short="macro F1",
    one="a macro F1",
    value=of_counts(_of_counts),
    counts=_of_counts,
    scale=PERCENT,
)
