"""What is measured of an epoch, and which epoch is the best; torch is not imported, so that readers are quick."""

import math
from dataclasses import dataclass, fields
from typing import Any

METRICS = {  # the field of each; the larger the better, but for the loss
    "accuracy": "valid_accuracy",
    "balanced_accuracy": "valid_balanced_accuracy",
    "loss": "valid_loss",
    "last": "epoch",  # of trials that train on their validation images: no epoch is chosen, the last one is kept
}


@dataclass(frozen=True)
class EpochMetrics:
    epoch: int  # from 1
    train_loss: float  # mean over the images, with label smoothing and mixing
    valid_loss: float  # cross entropy
    valid_accuracy: float  # [0, 1]
    valid_balanced_accuracy: float  # mean of the classes' accuracies
    lr: float  # of the epoch's last step
    seconds: float
    micro_batch: int  # images a forward pass: `batch_size`, or less where the GPU's memory is too short


def best_epoch(values: list[float], metric: str) -> int:
    """The first epoch, from 1, with the best value."""
    pick = min if metric == "loss" else max
    return 1 + values.index(pick(values))


def read_history(epochs: Any) -> list[EpochMetrics]:
    """The epochs that JSON holds.

    Raises:
      ValueError: it is no list of the epochs 1, 2, ... with all their fields, each a finite number.
    """
    try:
        history = [EpochMetrics(**epoch) for epoch in epochs]
        is_whole = all(is_finite(m) and m.epoch == number for number, m in enumerate(history, start=1))
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no history of epochs: {error}") from None
    if not is_whole:
        raise ValueError("epochs must count from 1 and hold finite numbers")
    return history


def is_finite(metrics: EpochMetrics) -> bool:
    return all(math.isfinite(getattr(metrics, f.name)) for f in fields(metrics))
