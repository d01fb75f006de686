"""Temperature scaling: all logits are divided by one number, so that probabilities are as sure as they should be.

Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017. The answers stay what they are. The
number is the one with the least log loss, found by Newton's method: in the inverse of the temperature the loss is
convex.
"""

import numpy as np

from sweep.analysis.estimates.adjustments.contract import Adjustment
from sweep.trainable.metrics.contract import Metric

SMALLEST = 1e-30  # probability, whose logarithm is a number
LEAST, MOST = 0.1, 10.0  # temperature; images that are all right would ask for 0
STEPS = 30  # of Newton's method at most; some six are needed
NEAR = 1e-6  # a step that changes the inverse of the temperature by less is the last one


def fit(metric: Metric | None, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> float:
    """Returns the temperature with the least log loss, whatever the metric."""
    counting = np.flatnonzero(counts)
    weights = counts[counting] / counts.sum()
    logs = np.log(np.maximum(probabilities[:, counting], SMALLEST, dtype=np.float64))
    apart = logs - logs[labels[counting], np.arange(len(counting))]  # the true class is 0 then
    inverse, low, high = 1.0, 1 / MOST, 1 / LEAST
    for _ in range(STEPS):
        shares = _scaled(apart, inverse)
        means = (shares * apart).sum(axis=0)
        slope = float(means @ weights)
        curve = float(((shares * apart**2).sum(axis=0) - means**2) @ weights)
        low, high = (inverse, high) if slope < 0 else (low, inverse)  # the least lies between
        step = inverse - slope / curve if curve > 0 else low
        nearer = step if low < step < high else (low + high) / 2
        if abs(nearer - inverse) < NEAR:
            break
        inverse = nearer
    return 1 / inverse


def apply(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns (classes, N) probabilities, of those at a temperature of 1."""
    return _scaled(np.log(np.maximum(probabilities, SMALLEST)), 1 / temperature)


def _scaled(logs: np.ndarray, inverse: float) -> np.ndarray:
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
