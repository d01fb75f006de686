"""Records tables of learning curves row by row, so that a killed run loses only the rows that it was training.

Each row is in a file of its own, which is a table of one curve. The number of a row alone decides its config, so that,
except for the seconds, the table is the same however often the recording was interrupted.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import takewhile
from pathlib import Path

import numpy as np

from benchmarks.conditions import conditions
from benchmarks.curves.recordings import SEED, Recording
from benchmarks.curves.table import SUFFIX, About, Curve, Table, read, write
from sweep.datasets.load import load
from sweep.datasets.pixels.dataset import Dataset
from sweep.search.runtime.pace import PaceLimit
from sweep.storage.errors import ConfigError
from sweep.storage.files import make_folder
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig

Task = tuple[Recording, int]  # a table and the number of its row


@dataclass(frozen=True)
class Work:
    """A recording with its data, and the place of its rows.

    Attributes:
      recording: what is recorded.
      parent: the folder in which the rows of each recording are in a folder of their own.
      command: the command that records it, which the table mentions.
    """

    recording: Recording
    parent: Path
    command: str

    @cached_property
    def data(self) -> Dataset:
        """The data set, loaded for training."""
        return load(self._data_path, self.recording.options, SEED).for_training()

    @cached_property
    def about(self) -> About:
        """The description of the table."""
        recording, data = self.recording, self.data
        return About(
            name=recording.name,
            data=self._data_path.name,
            fingerprint=data.fingerprint,
            train_images=len(data.train.images),
            valid_images=len(data.valid.images),
            classes=len(data.classes),
            image_size=data.image_size,
            space=recording.space,
            fixed=recording.fixed,
            backbones=recording.backbones,
            ranges=recording.searched.table()["ranges"],
            seed=SEED,
            rows=len(recording.rows),
            conditions=(conditions(self.command, "a process with one thread for each curve"),),
        )

    @cached_property
    def folder(self) -> Path:
        """The folder of the rows, which differs if the data or the space does."""
        identity = replace(self.about, conditions=(), rows=0)  # without these two, so that more draws extend the rows
        key = sha256(json.dumps(asdict(identity), sort_keys=True).encode()).hexdigest()
        return self.parent / f"{self.recording.name}-{key[:12]}"

    @property
    def _data_path(self) -> Path:
        recording = self.recording
        if not (path := os.environ.get(recording.variable)):
            raise ConfigError(
                f"{recording.variable} must name the data set that the table `{recording.name}` is recorded on"
            )
        return Path(path)

    def path(self, number: int) -> Path:
        """Returns the file of a row."""
        return self.folder / f"{number:04}{SUFFIX}"

    def table(self) -> Table:
        """Returns the finished rows up to the first missing one, so that quickly trained rows are not favoured."""
        numbers = range(len(self.recording.rows))
        rows = [read(path) for path in takewhile(Path.exists, map(self.path, numbers))]
        all_conditions = dict.fromkeys(line for row in rows for line in row.about.conditions)
        return Table(
            replace(self.about, conditions=tuple(all_conditions)), tuple(curve for row in rows for curve in row.curves)
        )

    def seconds(self) -> float:
        """Returns about how long one thread trains all rows, without heads, whose time is not estimated."""
        limit = PaceLimit(math.inf, self.about.train_images, self.about.classes, self.about.image_size)
        return sum(limit.seconds_of(self.recording.config(*row)[1]) for row in self.recording.rows)


def in_order(recordings: Sequence[Recording], until: int | None) -> list[Task]:
    """Returns the rows of all tables in the order in which they are recorded, so that the tables grow side by side.

    Args:
      until: the number of rows of each table to record; None for all.
    """
    tasks = [(recording, number) for recording in recordings for number in range(len(recording.rows))[:until]]
    return sorted(tasks, key=lambda task: (task[1] + 1) / len(task[0].rows))


def record(works: Sequence[Work], tasks: Sequence[Task], take: Callable[[], int]) -> Iterator[str]:
    """Trains missing rows until there are none left; yields a sentence on each.

    Args:
      take: returns the position in `tasks` of the next task that no process has taken.
    """
    by_name = {work.recording.name: work for work in works}
    while (number := take()) < len(tasks):
        recording, row = tasks[number]
        work = by_name[recording.name]
        if work.path(row).exists():
            continue
        draw, repeat = recording.rows[row]
        params, config = recording.config(draw, repeat)
        curve = trained(draw, repeat, params, config, work.data)
        make_folder(work.folder)
        write(work.path(row), Table(work.about, (curve,)))
        best = f"best accuracy {curve.accuracies.max():.4f}" if len(curve.accuracies) else "diverged at once"
        yield (
            f"{recording.name} row {row + 1} of {len(recording.rows)}: {config.arch}, {len(curve.accuracies)} of "
            f"{config.epochs} epochs in {curve.seconds.sum():.1f} s, {best}"
        )


def trained(draw: int, repeat: int, params: Values, config: TrialConfig, data: Dataset) -> Curve:
    """Trains a config to its last epoch or until it diverges, without any pruning."""
    from sweep.trainable import loop
    from sweep.trainable.state import new_state

    order = np.random.default_rng(SEED).permutation(len(data.valid.images))
    state = new_state(config, data)
    for _ in loop.prepare(config, data, state):
        pass  # trials share features and maps, so their time does not belong to an epoch
    losses, seconds = list[float](), list[float]()
    began = time.process_time()
    try:
        for metrics in loop.train(config, data, state):
            seconds.append(time.process_time() - began)
            losses.append(metrics.valid_loss)
            began = time.process_time()
    except loop.Diverged:
        seconds.append(time.process_time() - began)
    right = [classes[order] == data.valid.truth[order] for classes in state.valid_classes]
    return Curve(
        draw=draw,
        repeat=repeat,
        params=params,
        config=config.to_dict(),
        right=np.array(right, bool).reshape(len(right), len(order)),
        losses=np.array(losses, np.float32),
        seconds=np.array(seconds, np.float32),
    )
