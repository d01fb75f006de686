"""Ended searches, and repeats and refits of them through their command lines, without Ray and without training."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sweep.datasets.pixels.dataset import Dataset
from sweep.search.runtime import data as sweep_data
from sweep.search.runtime.start import Open, Session
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.state import TrainState
from sweep.trainable.worker.attempt import Train
from tests.damage import DATA, train
from tests.trials import execute, open_bridge


class Killed(BaseException):
    """The driver is gone: no `except Exception` sees it."""


def search_in(folder: Path, trials: int = 6) -> Path:
    """A search in which each trial ended, by far most of them COMPLETE."""
    bridge, _ = open_bridge(folder, trials, pruner="none")
    sweep_data.save(folder, DATA, "accuracy")
    execute(bridge, DATA, train=train)
    return folder


@dataclass(frozen=True, kw_only=True)
class Here(Session):
    """This process, instead of Ray's workers.

    Attributes:
      run: what is done with the bridge and the data.
    """

    run: Callable[[Any, Dataset], object]

    def execute(self, bridge: Any, data: Dataset) -> list[int]:
        self.run(bridge, data)
        return []


def here(train: Train = train, **about: Any) -> Open:
    """Opens, instead of Ray, a session in which this process trains what is ordered."""
    session = Here(run=lambda bridge, data: execute(bridge, data.for_training(), train=train), **about)
    return lambda *_: nullcontext(session)


def data_is(patch: pytest.MonkeyPatch, data: Dataset = DATA) -> None:
    """Lets commands load this data, wherever it says that the data lies."""
    patch.setattr(sweep_data, "load", lambda settings, *numbers: data)


def command(main: Any, *words: object, on: Open | None = None) -> Result:
    """Runs a command.

    Args:
      on: opens what trials run on; None for Ray.
    """
    return CliRunner().invoke(main, [*map(str, words)], obj=on)


def killed_in(trial: int, epoch: int, train: Train = train) -> Train:
    """Training that ends its driver in the trial that is ordered as that number, after an epoch of it."""
    seen: list[TrialConfig] = []

    def train_until_then(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
        if config not in seen:
            seen.append(config)
        for metrics in train(config, data, state):
            if len(seen) == trial + 1 and metrics.epoch == epoch:
                raise Killed
            yield metrics

    return train_until_then


def counted(train: Train = train) -> tuple[Train, list[TrialConfig]]:
    """The same training, and the configs that it is called with."""
    configs: list[TrialConfig] = []

    def noting(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
        configs.append(config)
        yield from train(config, data, state)

    return noting, configs
