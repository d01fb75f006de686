"""Measures how long the honest estimate of a large sweep takes, with metrics that are not means of scores per image."""

import time
from dataclasses import dataclass
from typing import cast

import numpy as np

from sweep.analysis.estimates.draws import draws
from sweep.analysis.estimates.honest import estimate
from sweep.analysis.estimates.scores import scores_of_images
from sweep.analysis.record import Record
from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import Metric

TRIALS, EPOCHS_OF_TRIAL, IMAGES = 200, 4, 10_000


@dataclass(frozen=True, eq=False)
class Judged:
    """The parts of a sweep's record that scores need."""

    metric: Metric
    classes: tuple[str, ...]


def seconds(metric: str, classes: int) -> float:
    """Returns how long the corrected estimate of a choice takes, over 1,000 draws of images.

    The choice is among all trials, each at its best epoch and at its rungs.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, IMAGES)
    shared_logits = rng.standard_normal((IMAGES, classes), np.float32)
    logits = np.empty((TRIALS * EPOCHS_OF_TRIAL, IMAGES, classes), np.float16)
    for trial in np.split(logits, TRIALS):
        trial_logits = shared_logits + 0.6 * rng.standard_normal((IMAGES, classes), np.float32)
        trial_logits[np.arange(IMAGES), labels] += 1.5 - 0.1 * rng.exponential()
        for epoch in trial:
            epoch[:] = trial_logits + 0.4 * rng.standard_normal((IMAGES, classes), np.float32)
    counts = draws(IMAGES)
    names = tuple(map(str, range(classes)))
    record = cast("Record", Judged(named(metric).for_classes(names), names))
    began = time.perf_counter()
    estimate(scores_of_images(record, labels, list(logits)), counts)
    return time.perf_counter() - began
