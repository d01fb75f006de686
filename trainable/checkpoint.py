"""Reads a checkpoint file, which holds the state of a trial between two epochs, and checks that its parts fit."""

import json
import math
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from sweep.storage import paths
from sweep.storage.files import DamagedError
from sweep.storage.store import store_of
from sweep.storage.sweep_file import RENAMED_METRICS, Values
from sweep.storage.tensors import read_tensors
from sweep.trainable.metrics import is_name, named
from sweep.trainable.metrics.history import EpochMetrics, class_dtype, read_history

SCALER = ("scale", "_growth_tracker")  # the parts of a `torch.amp.GradScaler`'s state that change


class CheckpointError(DamagedError):
    """A checkpoint file is cut, altered, or of another trial."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file that `save` or `save_finished` wrote; its parts fit each other.

    The tensors are mapped from the file: copy those that are to outlive it.

    Attributes:
      config: `TrialConfig.to_dict()` of the trial.
      history: the epochs so far, at least one.
      model, averaged: the weights now, and their mean, which is empty if the config asks for none. Frozen weights are
        in neither.
      best: the weights of the predicting net at its best epoch.
      optimizer: its state, by the index of the parameter and the optimizer's own name, such as `0.momentum_buffer`.
      valid_classes: the class predicted for each validation image at each epoch, (epochs, N) of `class_dtype`.
      valid_logits: the predictions at the best epoch, (N, classes) float32.
      rows: for a finished fold, the places of its validation images among all images, (N,) int64; else None.
      kept: the predictions of some other epochs, by their numbers, (N, classes) float16.
      scaler: the parts of a gradient scaler's state that change, named as in `SCALER`; empty if there was no scaler.
    """

    config: Values
    metric: str
    history: list[EpochMetrics]
    model: dict[str, Tensor]
    averaged: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    valid_classes: np.ndarray
    valid_logits: np.ndarray
    kept: dict[int, np.ndarray]
    rows: np.ndarray | None = None
    scaler: dict[str, float] = field(default_factory=dict)

    @property
    def fold(self) -> int | None:
        """The fold of the net that it holds, from 1; None if the trial has no folds."""
        return self.history[0].fold

    @property
    def best_epoch(self) -> int:
        """The epoch with the best metric, from 1."""
        metric = named(self.metric)
        return metric.best_epoch(metric.of_epochs(self.history))


def read_finished(trial: Path, up_to_attempt: int) -> dict[int, Checkpoint]:
    """Returns the checkpoints that `save_finished` wrote, by fold; if one is damaged, that of an older attempt."""
    checkpoints: dict[int, Checkpoint] = {}
    for fold, places in paths.finished_folds(trial, up_to_attempt).items():
        for path in places:
            with suppress(CheckpointError):
                checkpoint = read_checkpoint(path)
                if checkpoint.fold == fold and checkpoint.rows is not None:
                    checkpoints[fold] = checkpoint
                    break
    return checkpoints


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint file; from a bucket, it is fetched first.

    Raises:
      CheckpointError: the file cannot be read, or differs in any bit from the one that `save` wrote.
      OSError: the file is in a bucket that cannot be read.
    """
    with suppress(FileNotFoundError):  # reported below, when the file is read
        store_of(path).fetch_content(path)
    try:
        return _checkpoint(*read_tensors(path))
    except DamagedError as error:
        raise CheckpointError(error.path, error.found) from error
    except OSError as error:
        raise CheckpointError(path, str(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(path, f"no checkpoint: {error}") from error


def _checkpoint(metadata: dict[str, str], tensors: dict[str, Tensor]) -> Checkpoint:
    """Makes a checkpoint of a file's parts; raises, among others, ValueError if they do not fit each other."""
    history = read_history(json.loads(metadata["history"]))
    classes, logits = tensors["valid_classes"].numpy(), tensors["valid_logits"].numpy()
    metric = RENAMED_METRICS.get(metadata["metric"], metadata["metric"])
    if not history or not is_name(metric):
        raise ValueError("it has no epoch, or no known metric")
    dtypes = class_dtype(logits.shape[1]) if logits.ndim == 2 else None, np.float32
    if (classes.dtype, logits.dtype) != dtypes or classes.shape != (len(history), len(logits)):
        raise ValueError("its predictions are not those of its epochs")
    if len({metrics.fold for metrics in history}) > 1:
        raise ValueError("its epochs are those of several folds")
    if "rows" in tensors and tensors["rows"].shape != (len(logits),):
        raise ValueError("its rows are not those of its predictions")
    predictions = {int(epoch): tensor.numpy() for epoch, tensor in _with_prefix("kept.", tensors).items()}
    if any(each.dtype != np.float16 or each.shape != logits.shape for each in predictions.values()):
        raise ValueError("its predictions of some epochs are not of its images and classes")
    if not predictions.keys() <= set(range(1, len(history) + 1)):
        raise ValueError("it has predictions of epochs that it has not")
    return Checkpoint(
        config=json.loads(metadata["config"]),
        metric=metric,
        history=history,
        model=_with_prefix("model.", tensors),
        averaged=_with_prefix("averaged.", tensors),
        best=_with_prefix("best.", tensors),
        optimizer=_with_prefix("optimizer.", tensors),
        valid_classes=classes.copy(),
        valid_logits=logits.copy(),
        rows=None if (rows := tensors.get("rows")) is None else rows.numpy().copy(),
        kept={epoch: each.copy() for epoch, each in predictions.items()},
        scaler=_scaler(_with_prefix("scaler.", tensors)),
    )


def _scaler(values: dict[str, Tensor]) -> dict[str, float]:
    """Returns the state of a gradient scaler; raises, among others, ValueError if the values do not make one."""
    if values.keys() not in (set(), set(SCALER)):
        raise ValueError("it holds a part of a gradient scaler")
    state = {name: value.item() for name, value in values.items()}
    if not all(number >= 0 and math.isfinite(number) for number in state.values()):
        raise ValueError("the scale of its gradients is no finite number")
    return state


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
