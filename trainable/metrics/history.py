"""What is measured of an epoch; torch is not imported, so that readers are quick."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

OWN_FIELD = "score"  # of `EpochMetrics`: of a metric that is not measured of every trial


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
    score: float | None = None  # the value of the sweep's metric, where it is none of those above

    def to_dict(self) -> dict[str, float]:
        """The fields that are set, as `history.json` has them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def class_dtype(classes: int) -> type[np.integer[Any]]:
    """Returns the type of number that the index of one of so many classes is kept as."""
    return np.uint8 if classes <= 256 else np.int16  # torch has little use for uint16


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
    return all(math.isfinite(value) for name, value in vars(metrics).items() if (name, value) != (OWN_FIELD, None))
