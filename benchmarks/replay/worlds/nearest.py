"""A world in which each config gets the recorded curve of the nearest config that no trial has had.

Each curve is used once, and a policy is told which config it got. Configs are near if they have the same architecture
and their other values have about the same ranks in the table.
"""

from functools import cached_property

import numpy as np

from benchmarks.curves.table import Table
from benchmarks.replay.contract import Training
from benchmarks.replay.features import ConfigEncoder
from benchmarks.replay.halves import Splits
from benchmarks.replay.worlds import WorldKind, Worlds
from benchmarks.replay.worlds.rows import Rows
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig

OTHER_ARCHITECTURE = 1e6  # more than the distance between any configs of one architecture


class Distances:
    """Computes the distances of configs from those of a table."""

    def __init__(self, splits: Splits) -> None:
        self._configs = [curve.config for curve in splits.curves]
        self._features = ConfigEncoder(self._configs)

    def to_rows(self, config: Values) -> np.ndarray:
        """Returns (rows,) the distances of a config from the table's configs."""
        rank_gaps = np.abs(self._ranks - self._rank(self._features.vector(config))).sum(axis=1)
        is_other = np.array([each["arch"] != config["arch"] for each in self._configs])
        distances: np.ndarray = rank_gaps + OTHER_ARCHITECTURE * is_other
        return distances

    def _rank(self, features: np.ndarray) -> np.ndarray:
        columns = zip(self._columns, features, strict=True)
        return np.array([np.searchsorted(column, value) / len(column) for column, value in columns])

    @cached_property
    def _rows(self) -> np.ndarray:
        return np.stack([self._features.vector(config) for config in self._configs])

    @cached_property
    def _columns(self) -> np.ndarray:
        return np.sort(self._rows, axis=0).T

    @cached_property
    def _ranks(self) -> np.ndarray:
        return np.stack([self._rank(row) for row in self._rows])


class Nearest(Rows):
    """The world of one replay, in which each curve is used once."""

    def __init__(self, splits: Splits, distances: Distances, seed: int, half: int) -> None:
        super().__init__(splits, seed, half)
        self._distances = distances
        self._is_used = np.zeros(len(splits.curves), bool)

    def training(self, number: int, config: TrialConfig | None) -> Training:
        """Returns the nearest curve that was not used, or the next one in the shared order."""
        if config is None:
            row = int(next(row for row in self._order if not self._is_used[row]))
        else:
            row = int(np.where(self._is_used, np.inf, self._distances.to_rows(config.to_dict())).argmin())
        self._is_used[row] = True
        return self.row(row)


def new(table: Table) -> Worlds:
    """Returns the function that makes worlds of this table's curves."""
    splits = Splits(table)
    distances = Distances(splits)
    return lambda seed, half: Nearest(splits, distances, seed, half)


KIND = WorldKind(
    "nearest recorded curve",
    new,
    takes_configs=True,
    reference="old_search",
    judged="promoting_search",
    known=lambda _: {},
)
