"""Accuracy: the share of the images that are classified correctly."""

import numpy as np

from sweep.trainable.metrics.contract import PERCENT, Metric, PerImage


def _are_right(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return classes == labels


def _value(labels: np.ndarray, logits: np.ndarray) -> float:
    return float(_are_right(labels, logits.argmax(axis=1)).mean())


RIGHT = PerImage(
    of_logits=lambda labels, logits: _are_right(labels, logits.argmax(axis=1)),
    of_probabilities=lambda labels, probabilities: _are_right(labels, probabilities.argmax(axis=0)),
    of_classes=_are_right,
)

METRIC = Metric(
    "accuracy",
    words="validation accuracy",
    short="accuracy",
    one="an accuracy",
    value=_value,
    field="valid_accuracy",
    images=RIGHT,
    scale=PERCENT,
    favours_large_classes=True,
)
