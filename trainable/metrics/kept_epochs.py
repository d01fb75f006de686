"""Chooses the predictions that are kept of epochs other than the best, to correct for the choice of the best epoch.

If predicted classes are enough to compute a metric, they are kept for every epoch, because they are small. Any other
metric needs probabilities. These are kept for the rungs, the epochs at which a trial is compared with others, and for
the epochs that were the best at each rung. They are stored as logarithms in float16, which near a probability of 1 are
finer than float16 itself, so that the order of the images survives. Together they take at most 20 MB of a trial. If not
all fit, the rungs come first, the newest before the others. With 50,000 images and 1,000 classes one epoch takes 100
MB, and none is kept: then the choice among the trials is corrected, and that among the epochs is not.
"""

from collections.abc import Sequence

import numpy as np

from sweep.trainable.metrics.contract import Metric, softmax

MOST_BYTES = 20_000_000
LEAST = 1e-300  # smallest probability; its logarithm is finite in float16 too


def epochs_kept(metric: Metric, values: Sequence[float], rungs: Sequence[int], numbers: int) -> list[int]:
    """Returns the epochs, from 1, whose probabilities are kept, besides those of the best epoch.

    An epoch that was left out once never comes back, however many epochs follow.

    Args:
      values: the metric's value in each epoch so far.
      numbers: how many numbers an epoch has: images times classes.
    """
    if metric.keeps == "classes":
        return []
    past_rungs = sorted((rung for rung in rungs if rung <= len(values)), reverse=True)
    candidates = dict.fromkeys([*past_rungs, *(metric.best_epoch(values[:rung]) for rung in past_rungs)])
    room = MOST_BYTES // (np.dtype(np.float16).itemsize * max(numbers, 1))
    return [epoch for epoch in candidates if epoch != metric.best_epoch(values)][:room]


def kept_form(logits: np.ndarray) -> np.ndarray:
    """Returns (N, classes) float16 logarithms of probabilities; float16 input already has this form and is returned."""
    if logits.dtype == np.float16:
        return logits
    return np.log(np.maximum(softmax(logits), LEAST)).astype(np.float16)
