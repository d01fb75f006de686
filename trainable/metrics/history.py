"""The numbers that are measured in an epoch; torch is not imported, so that reading them is quick."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

OWN_FIELD = "score"  # the field of `EpochMetrics` for metrics that have no field of their own


@dataclass(frozen=True)
class EpochMetrics:
    """The numbers that are measured in one epoch."""

    epoch: int  # from 1
    train_loss: float  # mean over the images, with label smoothing and mixing
    valid_loss: float  # cross entropy
    valid_accuracy: float  # [0, 1]
    valid_balanced_accuracy: float  # mean of the classes' accuracies
    lr: float  # learning rate of the epoch's last step
    seconds: float
    micro_batch: int  # images per forward pass: `batch_size`, or fewer if the GPU's memory is short
    score: float | None = None  # the value of the sweep's metric, if it is none of those above
    fold: int | None = None  # which fold's net it is, from 1, if the trial has one for each fold

    def to_dict(self) -> dict[str, float]:
        """Returns the fields that are set, as `history.json` has them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def class_dtype(classes: int) -> type[np.integer[Any]]:
    """Returns the integer type in which class indices are stored, for a number of classes."""
    return np.uint8 if classes <= 256 else np.int16  # torch has little use for uint16


def read_history(epochs: Any) -> list[EpochMetrics]:
    """Returns the epochs that parsed JSON holds.

    Raises:
      ValueError: it is not a list of the epochs 1, 2, ..., or of such lists for one fold after the other, in which
        every field is present and a finite number.
    """
    try:
        history = [EpochMetrics(**epoch) for epoch in epochs]
        is_whole = all(map(is_finite, history)) and _are_in_order([(m.fold, m.epoch) for m in history])
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no history of epochs: {error}") from None
    if not is_whole:
        raise ValueError("epochs must count from 1 and hold finite numbers")
    return history


def is_finite(metrics: EpochMetrics) -> bool:
    """Returns whether all numbers of an epoch are finite; fields that may be missing may be None."""
    may_lack = (OWN_FIELD, "fold")
    return all((value is None and name in may_lack) or math.isfinite(value) for name, value in vars(metrics).items())


def by_fold(history: Sequence[EpochMetrics]) -> list[list[EpochMetrics]]:
    """Returns the epochs of each net of a trial: one list for a single net, or one for each fold in order."""
    return [list(epochs) for _, epochs in groupby(history, lambda metrics: metrics.fold)]


def _are_in_order(places: list[tuple[int | None, int]]) -> bool:
    """Returns whether epochs count from 1, anew in each fold, and whether folds are rising numbers above 0."""
    folds = [fold for fold, _ in groupby(places, itemgetter(0))]
    if folds not in ([], [None]) and not all(type(fold) is int for fold in folds):
        return False
    numbers = [fold for fold in folds if fold is not None]
    counts = [[epoch for _, epoch in epochs] for _, epochs in groupby(places, itemgetter(0))]
    is_rising = numbers == sorted(set(numbers)) and all(fold > 0 for fold in numbers)
    return is_rising and all(epochs == list(range(1, len(epochs) + 1)) for epochs in counts)
