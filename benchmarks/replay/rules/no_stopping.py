"""A rule by which every trial runs to its last epoch."""

import numpy as np

from benchmarks.replay.contract import New
from benchmarks.replay.draws import Draws
from sweep.storage.sweep_file import Values


class NoStopping:
    """A policy that never stops a trial."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws

    def next(self, now: float, may_draw: bool) -> New | None:
        """Draws a new trial."""
        return New(self._draws.draw()) if may_draw else None

    def begun(self, number: int, config: Values) -> int:
        """Lets a new trial run to its last epoch."""
        self._draws.begun(number, config)
        return int(config["epochs"])

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Raises AssertionError, because a trial never reports before its end."""
        raise AssertionError("a trial runs to its last epoch at once")

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes the values of a trial that ended."""
        self._draws.ended(number, np.maximum.accumulate(values), has_diverged)
