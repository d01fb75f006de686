"""Pruning at rungs: a trial goes on only while it is among the best of those that came as far."""

import math
from collections.abc import Iterable
from functools import cache

import optuna
from optuna.study import StudyDirection

PARTS = (9, 3)  # the rungs are at these fractions (1/9, 1/3) of a trial's own epochs
FEWEST_PEERS = 3  # with fewer there is nothing to be worse than


class RungPruner(optuna.pruners.BasePruner):
    """Asynchronous successive halving (Li et al. 2020) at fractions of each trial's own epochs.

    A trial at its k-th rung is compared with every trial's value at that trial's k-th
    rung. Nothing but the intermediate values is read and nothing is written, so that a
    restart decides the same (Optuna's own pruner notes the rung in the trial before it
    decides: killed in between, it lets the trial pass).

    Where a trial has a net for each fold its rungs are folds: the first one, after which most end, and a third of them.
    All trials are measured on the same images there. At every fold, of fifty trials one would come to its end.

    Args:
      keep: the share that goes on; 1/3 is successive halving, 1/2 a median rule, 1 prunes nothing.
    """

    pauses = False
    folds: int | None = None

    def __init__(self, keep: float) -> None:
        self.keep = keep

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Returns the steps after which a trial of so many epochs may be pruned; its last one is none of them."""
        if self.folds:
            return tuple(sorted({1, math.ceil(self.folds / PARTS[-1])} - {self.folds}))
        return _rungs(epochs)

    def is_peer(self, trial: optuna.trial.FrozenTrial, other: optuna.trial.FrozenTrial) -> bool:
        """Returns whether a trial is compared with another one."""
        return True

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        stops = self.rungs(epochs_of(trial))
        if trial.last_step not in stops:
            return False
        k = stops.index(trial.last_step)
        peers = []
        for other in study.get_trials(deepcopy=False):
            other_stops = self.rungs(epochs_of(other))
            if k < len(other_stops) and self.is_peer(trial, other) and other_stops[k] in other.intermediate_values:
                peers.append(other.intermediate_values[other_stops[k]])
        if len(peers) < FEWEST_PEERS:
            return False
        maximize = study.direction == StudyDirection.MAXIMIZE
        cutoff = sorted(peers, reverse=maximize)[max(0, math.ceil(self.keep * len(peers)) - 1)]
        value = trial.intermediate_values[trial.last_step]
        return value < cutoff if maximize else value > cutoff

    def promoted(
        self, study: optuna.Study, paused: Iterable[optuna.trial.FrozenTrial], is_last: bool = False
    ) -> list[int]:
        """Returns none: a trial that was pruned has ended."""
        return []


@cache  # a decision asks for those of every trial
def _rungs(epochs: int) -> tuple[int, ...]:
    return tuple(sorted({math.ceil(epochs / part) for part in PARTS} - {epochs}))


def epochs_of(trial: optuna.trial.FrozenTrial) -> int:
    """Returns all the epochs of the trial's config, which the study keeps beside the parameters; 0 without a config."""
    return trial.user_attrs["config"].get("epochs", 0)


def new() -> RungPruner:
    return RungPruner(keep=1 / 3)
