"""Optuna's TPESampler and HyperbandPruner with their defaults, called as the documentation shows it."""

import numpy as np
import optuna
from optuna.trial import TrialState

from benchmarks.replay.contract import New
from benchmarks.replay.policies import PolicyKind, Task
from sweep.storage.sweep_file import Values


class OptunaHyperband:
    """The policy; the pruner is told the largest number of epochs, as its documentation asks for.

    Everything else has its default.
    """

    def __init__(self, task: Task) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._trials = task.space, list[optuna.Trial]()
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=task.seed),
            pruner=optuna.pruners.HyperbandPruner(max_resource=task.space.max_epochs),
            study_name=f"replay {task.seed}",  # the pruner derives a trial's bracket from this name
        )

    def next(self, now: float, may_draw: bool) -> New | None:
        """Asks the sampler for a config."""
        if not may_draw:
            return None
        self._trials.append(self._study.ask())
        return New(self._space.config(self._trials[-1]))

    def begun(self, number: int, config: Values) -> int:
        """Lets a new trial run for one epoch."""
        return 1

    def reported(self, number: int, values: np.ndarray) -> int | None:
        """Asks the pruner after each epoch whether the trial ends."""
        trial = self._trials[number]
        trial.report(float(values[-1]), len(values))
        if trial.should_prune():
            self._study.tell(trial, state=TrialState.PRUNED)
            return None
        return len(values) + 1

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Tells the study that the trial has failed or ended."""
        trial = self._trials[number]
        if has_diverged:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, float(values[-1]))


KIND = PolicyKind("optuna_hyperband", "Optuna's TPE and Hyperband", OptunaHyperband, draws_configs=True)
