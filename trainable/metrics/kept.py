"""What is kept of the predictions of epochs other than the best one, so that its choice among them can be corrected.

Where the classes that a net answers tell the value of a metric, those of every epoch are kept, which is little. Any
other metric needs probabilities. They are kept of the epochs at which a trial is compared with others, its rungs, and
of those that were the best when it was. They are logarithms in float16, which near a probability of 1 are finer than
float16 itself, so that the order of the images survives. Together they take 20 MB of a trial at most: where not all
fit, the rungs come first, the newest before the others. Of 50,000 images of 1,000 classes, where one epoch takes 100
MB, none is kept: then the choice among the trials is corrected, and that among the epochs is not.
"""

from collections.abc import Sequence

import numpy as np

from sweep.trainable.metrics.contract import Metric, softmax

MOST_BYTES = 20_000_000
LEAST = 1e-300  # probability, whose logarithm is a number in float16 too


def epochs_kept(metric: Metric, values: Sequence[float], rungs: Sequence[int], numbers: int) -> list[int]:
    """Returns the epochs, from 1, whose probabilities are kept of a trial, besides those of its best epoch.

    None comes in again that was left out before, however many epochs follow.

    Args:
      values: of the epochs so far.
      numbers: how many an epoch has: images times classes.
    """
    if metric.keeps == "classes":
        return []
    reached = sorted((rung for rung in rungs if rung <= len(values)), reverse=True)
    wanted = dict.fromkeys([*reached, *(metric.best_epoch(values[:rung]) for rung in reached)])
    room = MOST_BYTES // (np.dtype(np.float16).itemsize * max(numbers, 1))
    return [epoch for epoch in wanted if epoch != metric.best_epoch(values)][:room]


def kept_form(logits: np.ndarray) -> np.ndarray:
    """Returns (N, classes) float16 logarithms of the probabilities of (N, classes) logits; what is so already stays."""
    if logits.dtype == np.float16:
        return logits
    return np.log(np.maximum(softmax(logits), LEAST)).astype(np.float16)
