"""Balanced accuracy: the mean accuracy of the classes that occur, so that each class counts alike."""

from dataclasses import replace

import numpy as np

from sweep.trainable.metrics import accuracy
from sweep.trainable.metrics.contract import PERCENT, Metric


def _by_class(labels: np.ndarray) -> list[np.ndarray]:
    """Returns the numbers of the images of each class that occurs."""
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _value(labels: np.ndarray, logits: np.ndarray) -> float:
    right = accuracy.RIGHT.of_logits(labels, logits)
    return float(np.mean([right[images].mean() for images in _by_class(labels)]))


METRIC = Metric(
    "balanced_accuracy",
    words="balanced validation accuracy",
    short="balanced accuracy",
    one="a balanced accuracy",
    value=_value,
    field="valid_balanced_accuracy",
    images=replace(accuracy.RIGHT, strata=_by_class),
    scale=PERCENT,
)
