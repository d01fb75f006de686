"""Recall of one class: the share of its images that are classified as it; 0 if it has no images."""

import numpy as np

from sweep.trainable.metrics.contract import Metric
from sweep.trainable.metrics.one_class import of_one_class


def _of_counts(label: int, counts: np.ndarray) -> np.ndarray:
    images = counts[..., label, :].sum(axis=-1)
    return counts[..., label, label] / np.where(images > 0, images, 1)


def of_class(class_name: str) -> Metric:
    """Returns the metric `recall:CLASS`."""
    return of_one_class("recall", class_name, _of_counts)
