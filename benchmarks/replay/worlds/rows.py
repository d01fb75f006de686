"""The recorded curves themselves, each once, in a random order: nothing is assumed of any config."""

import numpy as np

from benchmarks.curves.table import Table
from benchmarks.replay.contract import Training
from benchmarks.replay.halves import Splits, best_and_blind
from benchmarks.replay.worlds import WorldKind, Worlds
from sweep.trainable.config import TrialConfig


class Rows:
    """One order of the curves, in which the trials have them."""

    def __init__(self, splits: Splits, seed: int, half: int) -> None:
        self._splits, self._half = splits, half
        self._values = splits.values(seed)
        self._order = np.random.default_rng([seed, 0]).permutation(len(splits.curves))
        self.size: int | None = len(splits.curves)
        self.best, self.blind = best_and_blind(self._values, half)

    def training(self, number: int, config: TrialConfig | None) -> Training:
        assert config is None, "a policy with a sampler needs a world that takes configs"
        return self.row(int(self._order[number]))

    def row(self, row: int) -> Training:
        values, curve = self._values[row], self._splits.curves[row]
        seconds = curve.seconds.astype(float)
        return Training(curve.config, values[self._half], values[1 - self._half], seconds)


def new(table: Table) -> Worlds:
    splits = Splits(table)
    return lambda seed, half: Rows(splits, seed, half)


KIND = WorldKind(
    "recorded curves", new, takes_configs=False, reference="old_rungs", judged="promotion", known=lambda _: {}
)
