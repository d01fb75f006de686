"""Top-5 accuracy: the share of the images whose class is among the five most probable ones.

Among classes with the same probability, the last one counts as the most probable, as in scikit-learn's
`top_k_accuracy_score`.
"""

from collections.abc import Sequence

import numpy as np

from sweep.trainable.metrics.contract import PERCENT, Metric, PerImage

K = 5


def _is_among(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns (N,) truth values, whether the true class is among the top five of (N, classes) scores."""
    true_scores = scores[np.arange(len(labels)), labels][:, None]
    is_later = np.arange(scores.shape[1]) > labels[:, None]
    return ((scores > true_scores) | ((scores == true_scores) & is_later)).sum(axis=1) < K


def _undefined(labels: np.ndarray, classes: Sequence[str]) -> str:
    """Returns a message if there are so few classes that every answer would be right; else an empty text."""
    if len(classes) > K:
        return ""
    return f"any answer would be right, as there are {len(classes)} classes; take accuracy"


METRIC = Metric(
    "top5",
    words="top-5 validation accuracy",
    short="top-5 accuracy",
    one="a top-5 accuracy",
    value=lambda labels, logits: float(_is_among(labels, logits).mean()),
    images=PerImage(
        of_logits=_is_among,
        of_probabilities=lambda labels, probabilities: _is_among(labels, probabilities.T),
    ),
    scale=PERCENT,
    favours_large_classes=True,
    undefined=_undefined,
)
