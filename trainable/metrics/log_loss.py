"""The log loss: the mean over the images of minus the logarithm of the probability of the true class."""

import numpy as np

from sweep.trainable.metrics.contract import Metric, PerImage, Scale

SMALLEST = 1e-30  # smallest probability, so that its logarithm is finite


def _value(labels: np.ndarray, logits: np.ndarray) -> float:
    shifted_logits = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted_logits.astype(np.float64)).sum(axis=1))
    return float((log_sum - shifted_logits[np.arange(len(labels)), labels]).mean())


def _of_logits(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Returns (N,) logarithms of the probabilities of the true classes, from (N, classes) logits."""
    logits = logits.astype(np.float64)
    return logits[np.arange(len(labels)), labels] - np.logaddexp.reduce(logits, axis=1)


def _of_probabilities(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns (N,) logarithms of the probabilities of the true classes, from (classes, N) probabilities."""
    return np.log(np.maximum(probabilities[labels, np.arange(len(labels))], SMALLEST))


METRIC = Metric(
    "log_loss",
    words="validation log loss",
    short="log loss",
    one="a log loss",
    value=_value,
    greater_is_better=False,
    field="valid_loss",
    images=PerImage(_of_logits, _of_probabilities, guess_loss=lambda classes: float(np.log(classes))),
    scale=Scale(may_be_log=True),
)
