"""Precision of one class: the share of images truly of it among those classified as it; 0 if there are none."""

import numpy as np

from sweep.trainable.metrics.contract import Metric
from sweep.trainable.metrics.one_class import of_one_class


def _of_counts(label: int, counts: np.ndarray) -> np.ndarray:
    answers = counts[..., :, label].sum(axis=-1)
    return counts[..., label, label] / np.where(answers > 0, answers, 1)


def of_class(class_name: str) -> Metric:
    """Returns the metric `precision:CLASS`."""
    return of_one_class("precision", class_name, _of_counts)
