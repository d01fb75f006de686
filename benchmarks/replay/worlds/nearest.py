"""The recorded curves, each once: of a config that was not recorded, that of the nearest one that no trial has had.

A policy is told which config it got. Near are configs of the same architecture whose other values have about the same
ranks in the table.
"""

from functools import cached_property

import numpy as np

from benchmarks.curves.table import Table
from benchmarks.replay.contract import Training
from benchmarks.replay.features import Features
from benchmarks.replay.halves import Splits
from benchmarks.replay.worlds import WorldKind, Worlds
from benchmarks.replay.worlds.rows import Rows
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig

OTHER_ARCHITECTURE = 1e6  # further away than any config of the same one


class Distances:
    """How far configs are from those of a table."""

    def __init__(self, splits: Splits) -> None:
        self._configs = [curve.config for curve in splits.curves]
        self._features = Features(self._configs)

    def to_rows(self, config: Values) -> np.ndarray:
        """Returns (rows,)."""
        apart = np.abs(self._ranks - self._ranked(self._features.of(config))).sum(axis=1)
        is_other = np.array([each["arch"] != config["arch"] for each in self._configs])
        distances: np.ndarray = apart + OTHER_ARCHITECTURE * is_other
        return distances

    def _ranked(self, features: np.ndarray) -> np.ndarray:
        columns = zip(self._columns, features, strict=True)
        return np.array([np.searchsorted(column, value) / len(column) for column, value in columns])

    @cached_property
    def _rows(self) -> np.ndarray:
        return np.stack([self._features.of(config) for config in self._configs])

    @cached_property
    def _columns(self) -> np.ndarray:
        return np.sort(self._rows, axis=0).T

    @cached_property
    def _ranks(self) -> np.ndarray:
        return np.stack([self._ranked(row) for row in self._rows])


class Nearest(Rows):
    """One replay, in which each curve is had once."""

    def __init__(self, splits: Splits, distances: Distances, seed: int, half: int) -> None:
        super().__init__(splits, seed, half)
        self._distances = distances
        self._had = np.zeros(len(splits.curves), bool)

    def training(self, number: int, config: TrialConfig | None) -> Training:
        if config is None:
            row = int(next(row for row in self._order if not self._had[row]))
        else:
            row = int(np.where(self._had, np.inf, self._distances.to_rows(config.to_dict())).argmin())
        self._had[row] = True
        return self.row(row)


def new(table: Table) -> Worlds:
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
