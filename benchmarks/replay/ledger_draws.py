"""Draws configs with this project's own samplers, by the code of a real sweep, on a ledger in memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from benchmarks.replay.policies import Task
from sweep.search.portfolios import by_cost
from sweep.search.pruners import Pruner
from sweep.search.runtime.draws import Draws, Plan
from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.queue import first_queue
from sweep.search.runtime.turns import Turns
from sweep.search.sinks import Sink
from sweep.search.spaces import uses_backbones
from sweep.search.spaces.space import Space
from sweep.storage.states import Reason
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig

NOWHERE = Path("/nowhere")
NO_LIMIT = 10**9  # trials; the clock limits the search
METRIC = "accuracy"


class PassingLedger(Ledger):
    """A ledger that is only in memory."""

    def _open_journal(self, folder: Path) -> BaseStorage:
        return InMemoryStorage()


class LedgerDraws:
    """Draws as a sweep does, and records in its ledger what becomes of the trials.

    Args:
      space: the space to draw from.
      pruner: the pruner of the sweep.
      plan: the plan of the sweep.
    """

    def __init__(self, space: Space, pruner: Pruner, plan: Plan) -> None:
        self._ledger = PassingLedger(NOWHERE, "replay", METRIC, pruner)
        self._draws = Draws(self._ledger, space, plan, Sink())

    def draw(self) -> TrialConfig:
        """Returns the config of the next trial of the sweep."""
        return TrialConfig.from_dict(self._attributes(self._draws.draw())["config"])

    def begun(self, number: int, config: Values) -> None:
        """Records the config that the trial really has, if it differs from the drawn one."""
        if config != self._attributes(number)["config"]:
            self._ledger.set(number, "config", config)
            if "rungs" in self._attributes(number):
                self._ledger.set(number, "rungs", list(self._ledger.rungs(config["epochs"])))

    def is_never_stopped(self, number: int) -> bool:
        """Returns whether the trial is a baseline."""
        return "baseline" in self._attributes(number)

    def passed(self, number: int, values: np.ndarray) -> None:
        """Records that a trial continues from a rung."""
        self._report(number, values)
        if not self.is_never_stopped(number):
            self._ledger.set(number, "passed", len(values))

    def paused(self, number: int, values: np.ndarray) -> None:
        """Records the values of a trial that waits at a rung."""
        self._report(number, values)

    def stopped(self, number: int, values: np.ndarray) -> None:
        """Records that a trial was pruned."""
        self._report(number, values)
        self._end(number, TrialState.PRUNED, Reason.NOT_AMONG_THE_BEST)

    def ended(self, number: int, values: np.ndarray, has_diverged: bool) -> None:
        """Records that a trial is complete or diverged."""
        self._report(number, values)
        if has_diverged:
            self._end(number, TrialState.FAIL, Reason.DIVERGED)
        else:
            self._ledger.tell(number, TrialState.COMPLETE, float(values[-1]))

    def _end(self, number: int, state: TrialState, reason: Reason) -> None:
        self._ledger.set(number, "reason", reason)
        self._ledger.tell(number, state)

    def _report(self, number: int, values: np.ndarray) -> None:
        known_epochs = len(self._ledger.trial(number).intermediate_values)
        self._ledger.report(number, dict(enumerate(values[known_epochs:].tolist(), start=known_epochs + 1)))

    def _attributes(self, number: int) -> Values:
        return self._ledger.trial(number).user_attrs


def plan_of(task: Task, sampler: str, version: int) -> Plan:
    """Returns the plan of a sweep in its present form, without published runs, on images that fit into memory."""
    name, number = task.space_name
    queue, _ = first_queue(task.space, number, None, [], name)
    families = task.space.families
    turns = Turns(families, by_cost.RECIPES[name, number]) if uses_backbones(name, number) else None
    return replace(bare_plan(task, sampler, version), queue=queue, families=families, turns=turns)


def bare_plan(task: Task, sampler: str, version: int) -> Plan:
    """Returns the plan of a sweep in which the sampler draws every trial."""
    return Plan(trials=NO_LIMIT, seed=task.seed, metric=METRIC, sampler=sampler, queue={}, sampler_version=version)
