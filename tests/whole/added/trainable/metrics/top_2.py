"""Top-2 accuracy: the share of the images whose class is among the two with the most probability."""

import numpy as np

from sweep.trainable.metrics.contract import PERCENT, Metric


def _value(labels: np.ndarray, logits: np.ndarray) -> float:
    return float((logits.argsort(axis=1)[:, -2:] == labels[:, None]).any(axis=1).mean())


METRIC = Metric("top_2", words="top-2 validation accuracy", short="top-2", one="a top-2", value=_value, scale=PERCENT)
