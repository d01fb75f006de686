"""MCC: Matthews' correlation coefficient of true and predicted classes, for any number of classes.

B. W. Matthews, "Comparison of the predicted and observed secondary structure of T4 phage lysozyme", 1975; for more than
two classes J. Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004. It is
between -1 and 1, and 0 if all answers are one class.
"""

import numpy as np

from sweep.trainable.metrics.contract import Metric
from sweep.trainable.metrics.predictions import of_counts, one_class_alone


def _of_counts(counts: np.ndarray) -> np.ndarray:
    """Returns (...) values from (..., classes, classes) confusion matrices; 0 if truth or answers are of one class."""
    counts = counts.astype(np.float64)
    class_sizes, answer_counts = counts.sum(axis=-1), counts.sum(axis=-2)
    images, right = class_sizes.sum(axis=-1), np.trace(counts, axis1=-2, axis2=-1)
    covariance = right * images - (class_sizes * answer_counts).sum(axis=-1)
    true_variance = images**2 - (class_sizes**2).sum(axis=-1)
    answer_variance = images**2 - (answer_counts**2).sum(axis=-1)
    spread = np.sqrt(true_variance) * np.sqrt(answer_variance)
    return np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0)


METRIC = Metric(
    "mcc",
    words="validation MCC",
    short="MCC",
    one="an MCC",
    value=of_counts(_of_counts),
    counts=_of_counts,
    span=(-1.0, 1.0),
    undefined=one_class_alone,
)
