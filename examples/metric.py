"""Metrics of your own, by which trials are ranked, pruned and reported.

    python -m search.run --sweep sweeps/mine --metric examples/metric.py:macro_f1 --trials 10
    python -m analysis.report sweeps/mine --code examples/metric.py:macro_f1

Of this file a sweep keeps the hash: it goes on, and is reported on, with the metric that it began with.
"""

import numpy as np

from sweep.trainable.metrics.contract import Metric, PerImage, softmax


def macro_f1(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean over the classes of the F1 score, from (N,) labels and (N, classes) probabilities; larger is better."""
    answers, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    right = np.bincount(labels[answers == labels], minlength=classes)
    there, answered = np.bincount(labels, minlength=classes), np.bincount(answers, minlength=classes)
    return float(np.mean(2 * right / np.maximum(there + answered, 1)))


def _brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,): the squared distance of (N, classes) probabilities from those that are all on the label."""
    return ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1)


# A `Metric` says more: here, that the smaller value is the better one, and that it is a mean over the images, so that
# what is reported of it is quick to compute.
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
