"""What the first process of a trial tells the others, and how the state of a net gets to them."""

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
    """What a process needs before the first net.

    Attributes:
      backend: of torch.distributed.
      store: a file through which the processes find each other.
      device: of this process.
      threads: of torch, a process.
      data: the worker's, by `in_files`.
      sources: of the user's files, `storage.user_code.sources`.
      weights_table: the weights that nets begin with.
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
    """A net that is trained from now on, as the first process has it.

    Attributes:
      fold: of its data, from 1; None where it has all of them.
      metric: its name.
      model, averaged: all their tensors by their names; the second is empty where the config asks for no mean.
      optimizer: what it keeps, by the index of the parameter and its own name.
      scaler: the state of what scales gradients; empty where nothing does.
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
    def of(config: TrialConfig, data: Dataset, state: TrainState) -> "Net":
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
          data: of its fold.
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
    """The next epoch of the net begins."""


@dataclass(frozen=True)
class Ready:
    """This process can be talked to."""


@dataclass(frozen=True)
class InFile:
    """A large array on its way: the process that is sent this gets the array instead, mapped from the file."""

    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return np.load, (self.path, "r")


def in_files(data: Dataset, folder: Path) -> Dataset:
    """Returns the data as it is sent: pixels in memory are in files of `folder`, which all processes share."""
    sent: dict[int, Any] = {}

    def moved(split: Split) -> Split:
        images = split.images
        if isinstance(images, np.ndarray) and id(images) not in sent:
            sent[id(images)] = InFile(folder / f"{len(sent)}.npy")
            np.save(sent[id(images)].path, images)
        return replace(split, images=sent.get(id(images), images))

    return replace(data, train=moved(data.train), valid=moved(data.valid))


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
