"""Temperature scaling: all logits are divided by one number, so that the probabilities are calibrated.

The method is that of Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017. It does not
change the answers. The number is the one with the least log loss. Newton's method finds it, because the loss is convex
in the inverse of the temperature.
"""

import numpy as np

from sweep.analysis.estimates.adjustments.contract import Adjustment
from sweep.trainable.metrics.contract import Metric

SMALLEST = 1e-30  # the least probability, so that its logarithm is finite
LEAST, MOST = 0.1, 10.0  # the range of temperatures; if all images are right, the best temperature would be 0
STEPS = 30  # steps of Newton's method at most; about six are needed
NEAR = 1e-6  # once a step changes the inverse of the temperature by less, the search ends


def fit(metric: Metric | None, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> float:
    """Returns the temperature with the least log loss, whatever the metric; the arguments are as in `contract.Fit`."""
    images = np.flatnonzero(counts)
    weights = counts[images] / counts.sum()
    logs = np.log(np.maximum(probabilities[:, images], SMALLEST, dtype=np.float64))
    relative_logs = logs - logs[labels[images], np.arange(len(images))]  # so that the true class has 0
    inverse, low, high = 1.0, 1 / MOST, 1 / LEAST
    for _ in range(STEPS):
        shares = _softmax(relative_logs, inverse)
        means = (shares * relative_logs).sum(axis=0)
        slope = float(means @ weights)
        curvature = float(((shares * relative_logs**2).sum(axis=0) - means**2) @ weights)
        low, high = (inverse, high) if slope < 0 else (low, inverse)  # the minimum lies between them
        step = inverse - slope / curvature if curvature > 0 else low
        next_inverse = step if low < step < high else (low + high) / 2
        if abs(next_inverse - inverse) < NEAR:
            break
        inverse = next_inverse
    return 1 / inverse


def apply(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns (classes, N) probabilities at a temperature, from those at a temperature of 1."""
    return _softmax(np.log(np.maximum(probabilities, SMALLEST)), 1 / temperature)


def _softmax(logs: np.ndarray, inverse: float) -> np.ndarray:
    exponents = np.exp(inverse * (logs - logs.max(axis=0)))
    return exponents / exponents.sum(axis=0)


ADJUSTMENT = Adjustment(
    "temperature",
    suits=lambda metric, classes: metric.images is not None and metric.images.guess_loss is not None,
    fit=fit,
    apply=apply,
    neutral=1.0,
    is_possible=lambda number: LEAST / 2 < number < 2 * MOST,
    divides_logits=True,
)
