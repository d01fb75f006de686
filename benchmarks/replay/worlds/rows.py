"""A world of the recorded curves, each used once in a random order; nothing is assumed about other configs."""

import numpy as np

from benchmarks.curves.table import Table
from benchmarks.replay.contract import Training
from benchmarks.replay.halves import Splits, best_and_blind
from benchmarks.replay.worlds import WorldKind, Worlds
from sweep.trainable.config import TrialConfig


class Rows:
    """The world of one replay, with one order of the curves."""

    def __init__(self, splits: Splits, seed: int, half: int) -> None:
        self._splits, self._half = splits, half
        self._values = splits.values(seed)
        self._order = np.random.default_rng([seed, 0]).permutation(len(splits.curves))
        self.size: int | None = len(splits.curves)
        self.best, self.blind = best_and_blind(self._values, half)

    def training(self, number: int, config: TrialConfig | None) -> Training:
        """Returns the curve of the trial with this number."""
        assert config is None, "a policy with a sampler needs a world that takes configs"
        return self.row(int(self._order[number]))

    def row(self, row: int) -> Training:
        """Returns the training that a row of the table describes."""
        values, curve = self._values[row], self._splits.curves[row]
        seconds = curve.seconds.astype(float)
        return Training(curve.config, values[self._half], values[1 - self._half], seconds)


def new(table: Table) -> Worlds:
    """Returns the function that makes worlds of this table's curves."""
    splits = Splits(table)
    return lambda seed, half: Rows(splits, seed, half)


KIND = WorldKind(
    "recorded curves", new, takes_configs=False, reference="old_rungs", judged="promotion", known=lambda _: {}
)
