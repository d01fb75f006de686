"""A rule by which trials end at rungs when a pruner decides so, as in a sweep."""

from dataclasses import dataclass, field

import numpy as np
from optuna.study import StudyDirection

from benchmarks.replay.contract import New
from benchmarks.replay.draws import Draws
from sweep.search.pruners import Pruner
from sweep.storage.sweep_file import Values


@dataclass
class PlainTrial:
    """The part of an Optuna trial that the pruners of `search/pruners/` read; it is a hundred times as fast."""

    number: int
    user_attrs: Values
    intermediate_values: dict[int, float] = field(default_factory=dict)

    @property
    def last_step(self) -> int | None:
        """The last step with a value; None if there is none."""
        return len(self.intermediate_values) or None


@dataclass
class PlainStudy:
    """The part of an Optuna study that these pruners read."""

    trials: list[PlainTrial] = field(default_factory=list)
    direction = StudyDirection.MAXIMIZE

    def get_trials(self, deepcopy: bool = True) -> list[PlainTrial]:
        """Returns all trials, never as copies."""
        return self.trials


class Stopping:
    """A policy that asks a pruner at each rung of a trial whether the trial ends there."""

    def __init__(self, pruner: Pruner, draws: Draws) -> None:
        self._pruner, self._draws = pruner, draws
        self._study = PlainStudy()

    def next(self, now: float, may_draw: bool) -> New | None:
        """Draws a new trial."""
        return New(self._draws.draw()) if may_draw else None

    def begun(self, number: int, config: Values) -> int:
        """Lets a new trial run to its first rung, or to its end."""
        self._study.trials.append(PlainTrial(number, {"config": config}))
        self._draws.begun(number, config)
        return self._next_stop(config["epochs"], 0)

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Lets a trial continue from its rung, or ends it if the pruner says so."""
        best = self._take(number, values)
        trial = self._study.trials[number]
        may_stop = not self._draws.is_never_stopped(number)
        if may_stop and self._pruner.prune(self._study, trial):  # type: ignore[arg-type]
            self._draws.stopped(number, best)
            return None
        self._draws.passed(number, best)
        return self._next_stop(trial.user_attrs["config"]["epochs"], len(values))

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Takes the values of a trial that ended."""
        self._draws.ended(number, self._take(number, values), has_diverged)

    def _take(self, number: int, values: np.ndarray) -> np.ndarray:
        best: np.ndarray = np.maximum.accumulate(values)
        self._study.trials[number].intermediate_values = dict(enumerate(best.tolist(), start=1))
        return best

    def _next_stop(self, epochs: int, epochs_done: int) -> int:
        return min((rung for rung in self._pruner.rungs(epochs) if rung > epochs_done), default=epochs)
