"""Every trial runs to its last epoch."""

import numpy as np

from benchmarks.replay.contract import New
from benchmarks.replay.draws import Draws
from sweep.storage.sweep_file import Values


class Whole:
    """A policy that never stops a trial."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws

    def next(self, now: float, may_draw: bool) -> New | None:
        return New(self._draws.draw()) if may_draw else None

    def begun(self, number: int, config: Values) -> int:
        self._draws.begun(number, config)
        return int(config["epochs"])

    def reported(self, number: int, values: np.ndarray) -> int | None:
        raise AssertionError("a trial runs to its last epoch at once")

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        self._draws.ended(number, np.maximum.accumulate(values), has_diverged)
