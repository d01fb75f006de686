"""A rule by which trials wait at rungs without a worker, and continue when a pruner lets them, as in a sweep."""

import numpy as np

from benchmarks.replay.contract import New, Resume
from benchmarks.replay.draws import Draws
from sweep.search.pruners.halving_3 import Entrant, PausingHalving
from sweep.storage.sweep_file import Values


class Promoting:
    """A policy in which the best share of the trials that reached a rung continue from it while the others wait."""

    def __init__(self, rule: PausingHalving, draws: Draws) -> None:
        self._rule, self._draws = rule, draws
        self._entrants: list[Entrant] = []
        self._values: list[dict[int, float]] = []  # the entrants are frozen, but they share these dicts
        self._paused: set[int] = set()
        self._before_rungs: set[int] = set()  # the running trials that have a rung ahead

    def next(self, now: float, may_draw: bool) -> New | Resume | None:
        """Resumes a waiting trial that may continue, or else draws a new one."""
        candidates = [self._entrants[number] for number in sorted(self._paused)]
        is_last = not may_draw and not self._before_rungs
        if candidates and (promotions := self._rule.going_on(candidates, self._entrants, is_last=is_last)):
            number = promotions[0]
            self._paused.remove(number)
            self._draws.passed(number, np.array(list(self._values[number].values())))
            return Resume(number, self._next_stop(number))
        return New(self._draws.draw()) if may_draw else None

    def begun(self, number: int, config: Values) -> int:
        """Lets a new trial run to its first rung, or to its end."""
        self._values.append({})
        self._entrants.append(Entrant(number, config["epochs"], self._values[number], bool(config.get("pretrained"))))
        self._draws.begun(number, config)
        return self._next_stop(number)

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Lets a trial continue from its rung if it is among the best, or else wait there."""
        best = self._take(number, values)
        entrant = self._entrants[number]
        if self._draws.is_never_stopped(number) or number in self._rule.going_on([entrant], self._entrants):
            self._draws.passed(number, best)
            return self._next_stop(number)
        self._paused.add(number)
        self._draws.paused(number, best)
        return None

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes the values of a trial that ended."""
        self._draws.ended(number, self._take(number, values), has_diverged)

    def _take(self, number: int, values: np.ndarray) -> np.ndarray:
        best: np.ndarray = np.maximum.accumulate(values)
        self._values[number].update(enumerate(best.tolist(), start=1))
        self._before_rungs.discard(number)
        return best

    def _next_stop(self, number: int) -> int:
        epochs, epochs_done = self._entrants[number].epochs, len(self._values[number])
        rungs = [rung for rung in self._rule.rungs(epochs) if rung > epochs_done]
        if rungs:
            self._before_rungs.add(number)
        return min(rungs, default=epochs)
