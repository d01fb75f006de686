"""Metrics of your own, by which trials are ranked, pruned and reported.

    python -m search.run --sweep sweeps/mine --metric examples/metric.py:macro_f1 --trials 10
    python -m analysis.report sweeps/mine --code examples/metric.py:macro_f1

A sweep records the hash of this file: it continues, and is reported on, only with the metric that it began with.
"""

import numpy as np

from sweep.trainable.metrics.contract import Metric, PerImage, softmax


def macro_f1(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean over the classes of the F1 score, from (N,) labels and (N, classes) probabilities; larger is better."""
    answers, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    true_positives = np.bincount(labels[answers == labels], minlength=classes)
    label_counts, answer_counts = np.bincount(labels, minlength=classes), np.bincount(answers, minlength=classes)
    return float(np.mean(2 * true_positives / np.maximum(label_counts + answer_counts, 1)))


def _brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,): the squared distance of (N, classes) probabilities from the one-hot labels."""
    return ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1)


# A `Metric` object says more: here, that smaller values are better, and that the value is a mean over the images, which
# makes the numbers in the report quick to compute.
#     python -m search.run --sweep sweeps/mine --metric examples/metric.py:BRIER --trials 10
BRIER = Metric(
    "brier",
    words="Brier score",
    short="Brier score",
    one="a Brier score",
    value=lambda labels, logits: float(_brier(labels, softmax(logits)).mean()),
    greater_is_better=False,
    images=PerImage(
        of_logits=lambda labels, logits: -_brier(labels, softmax(logits)),
        of_probabilities=lambda labels, probabilities: -_brier(labels, probabilities.T),
        guess_loss=lambda classes: 1 - 1 / classes,
    ),
)
