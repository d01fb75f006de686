"""The messages of a trial's first process to the others, and how they carry the state of a net."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.optim import kept_by, put_back
from sweep.trainable.state import TrainState, new_state
from sweep.trainable.weights import Weights


@dataclass(frozen=True)
class Setting:
    """Everything that a process needs before its first net.

    Attributes:
      rank, size: the number of the process, from 0, and how many there are.
      backend: a name for torch.distributed.
      store: a file through which the processes find each other.
      device: the device of this process.
      threads: how many threads torch may use in each process.
      data: the worker's data, as `in_files` returns it.
      sources: the user's files, as `storage.user_code.sources` returns them.
      weights_table: the weights with which nets begin.
    """

    rank: int
    size: int
    backend: str
    store: Path
    device: str
    threads: int
    data: Dataset
    sources: dict[str, bytes]
    weights_table: dict[str, Weights]


@dataclass(frozen=True)
class Net:
    """A net that is trained from now on, in the state in which the first process has it.

    Attributes:
      fold: the fold whose data it has, from 1; None if there are no folds.
      metric: the name of the metric.
      model, averaged: all their tensors by name; `averaged` is empty if the config asks for no mean of the weights.
      optimizer: its tensors, by parameter index and name.
      scaler: the state of the gradient scaler; empty if there is none.
    """

    config: TrialConfig
    fold: int | None
    metric: str
    micro_batch: int
    history: list[EpochMetrics]
    model: dict[str, np.ndarray]
    averaged: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]
    scaler: dict[str, Any]

    @staticmethod
    def from_state(config: TrialConfig, data: Dataset, state: TrainState) -> "Net":
        """Returns the message for a net, with copies of its tensors on the CPU."""
        return Net(
            config,
            data.of_fold,
            state.metric.name,
            state.micro_batch,
            list(state.history),
            _arrays(state.model.state_dict()),
            _arrays(state.averaged.model.state_dict()) if state.averaged else {},
            _arrays(kept_by(state.optimizer)),
            state.scaler.state_dict() if state.scaler else {},
        )

    def state(self, data: Dataset, device: str) -> TrainState:
        """Returns the same state in this process.

        Args:
          data: the data of the net's fold.
        """
        state = new_state(self.config, data, self.metric, device)
        state.model.load_state_dict(_tensors(self.model))
        if state.averaged:
            state.averaged.model.load_state_dict(_tensors(self.averaged))
        put_back(state.optimizer, _tensors(self.optimizer))
        if state.scaler:
            state.scaler.load_state_dict(self.scaler)
        state.history, state.micro_batch = self.history, self.micro_batch
        return state


@dataclass(frozen=True)
class Epoch:
    """Tells the processes that the next epoch of the net begins."""


@dataclass(frozen=True)
class Ready:
    """Tells the worker that this process can take messages."""


@dataclass(frozen=True)
class InFile:
    """A large array in a message: the receiver gets the array itself, mapped from this file."""

    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return np.load, (self.path, "r")


def in_files(data: Dataset, folder: Path) -> Dataset:
    """Returns the data as it is sent: pixels in memory are moved to files in `folder`, which all processes share."""
    files: dict[int, Any] = {}

    def move(split: Split) -> Split:
        images = split.images
        if isinstance(images, np.ndarray) and id(images) not in files:
            files[id(images)] = InFile(folder / f"{len(files)}.npy")
            np.save(files[id(images)].path, images)
        return replace(split, images=files.get(id(images), images))

    return replace(data, train=move(data.train), valid=move(data.valid))


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
