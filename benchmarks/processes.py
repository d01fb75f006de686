"""Measures how much faster two processes, each with a core and half of every batch, train a trial than one does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from sweep.datasets.load import load
from sweep.datasets.pixels.dataset import Dataset
from sweep.storage.sweep_file import DataOptions
from sweep.trainable import loop
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.parallel.team import Team
from sweep.trainable.state import new_state
from sweep.trainable.worker.attempt import Train

CONFIG = TrialConfig(
    arch="small_resnet", width=4.0, depth=1, epochs=3, batch_size=128, lr=0.05, horizontal_flip=0.5, rotate=0.5
)
ROUNDS = 3
IMAGES = 2560  # for training


def ratios(data_path: Path) -> list[float]:
    """Returns, for each round, the images per second with two processes as a multiple of those with one process."""
    data = load(data_path, DataOptions(limit_train=IMAGES, limit_valid=IMAGES // 8)).for_training()
    with _one_thread(), _team(data) as team:
        return [_seconds(loop.train, data) / _seconds(team.train, data) for _ in range(ROUNDS)]


def _seconds(train: Train, data: Dataset) -> float:
    """Returns the median seconds of an epoch and its validation, without the first one, which starts processes."""
    _, *epochs = _epochs(train, data)
    return median(epoch.seconds for epoch in epochs)


def _epochs(train: Train, data: Dataset) -> Iterator[EpochMetrics]:
    return train(CONFIG, data, new_state(CONFIG, data))


@contextmanager
def _one_thread() -> Iterator[None]:
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)


@contextmanager
def _team(data: Dataset) -> Iterator[Team]:
    team = Team(data, 2, "cpu", threads=1)
    try:
        yield team
    finally:
        team.end()
