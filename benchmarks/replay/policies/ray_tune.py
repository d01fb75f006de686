"""Ray Tune's ASHAScheduler and OptunaSearch with their defaults, called as Ray 2.60 does, but without its processes.

The calls follow `_process_trial_result` in `ray/tune/execution/tune_controller.py`. Each result goes to the scheduler,
and also to the searcher unless the scheduler stops the trial. A stopped trial is reported to the searcher like any that
ended, with its last value; a failed one is reported as an error. The searcher is asked when a worker is free, which
corresponds to `max_concurrent_trials`; without that it would be asked for the first 16 trials at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.replay.contract import New
from benchmarks.replay.policies import PolicyKind, Task
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig

METRIC = "accuracy"


@dataclass(frozen=True)
class Trial:
    """The part of a trial that the scheduler reads."""

    trial_id: str


class RayTune:
    """The policy; the scheduler is told the largest number of epochs of the space.

    Everything else has its default.
    """

    def __init__(self, task: Task) -> None:
        from ray.tune.schedulers import ASHAScheduler  # imported late, because it takes two seconds
        from ray.tune.search.optuna import OptunaSearch

        self._space, self._configs = task.space, list[TrialConfig]()
        # The scheduler uses nothing of Tune's controller, and only the id of a trial.
        self._scheduler: Any = ASHAScheduler(metric=METRIC, mode="max", max_t=task.space.max_epochs)
        self._searcher = OptunaSearch(self._define, metric=METRIC, mode="max", seed=task.seed)

    def _define(self, trial: Any) -> None:
        self._configs.append(self._space.config(trial))

    def next(self, now: float, may_draw: bool) -> New | None:
        """Asks the searcher for a config."""
        if not may_draw:
            return None
        self._searcher.suggest(str(len(self._configs)))
        return New(self._configs[-1])

    def begun(self, number: int, config: Values) -> int:
        """Lets a new trial run for one epoch."""
        self._scheduler.on_trial_add(None, Trial(str(number)))
        return 1

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Asks the scheduler after each epoch whether the trial continues."""
        return len(values) + 1 if self._continues(number, values) else None

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Tells scheduler and searcher that the trial has failed or ended."""
        if has_diverged:
            self._searcher.on_trial_complete(str(number), error=True)
        elif self._continues(number, values):
            self._complete(number, _result(values))

    def _continues(self, number: int, values: np.ndarray) -> bool:
        result = _result(values)
        if self._scheduler.on_trial_result(None, Trial(str(number)), result) == self._scheduler.STOP:
            self._complete(number, result)
            return False
        self._searcher.on_trial_result(str(number), result)
        return True

    def _complete(self, number: int, result: Values) -> None:
        self._scheduler.on_trial_complete(None, Trial(str(number)), result)
        self._searcher.on_trial_complete(str(number), result)


def _result(values: np.ndarray) -> Values:
    return {METRIC: float(values[-1]), "training_iteration": len(values)}


KIND = PolicyKind("ray_tune", "Ray's ASHA and OptunaSearch", RayTune, draws_configs=True)
