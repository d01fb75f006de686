"""Prunes at rungs: a trial continues only if it is among the best of those that reached the same rung."""

import math
from collections.abc import Iterable
from functools import cache

import optuna
from optuna.study import StudyDirection

PARTS = (9, 3)  # the rungs are at 1/9 and 1/3 of a trial's own epochs
FEWEST_PEERS = 3  # with fewer trials to compare with, a trial always continues


class RungPruner(optuna.pruners.BasePruner):
    """Asynchronous successive halving (Li et al. 2020) at fractions of each trial's own epochs.

    A trial at its k-th rung is compared with the value that every trial had at its own k-th rung. The pruner reads only
    the reported values and writes nothing, so that a restart decides the same. (Optuna's own pruner notes the rung in
    the trial before it decides; if the driver is killed in between, the trial is never pruned there.)

    If a trial trains a net for each fold, its rungs are at folds: after the first, where most trials end, and after a
    third of them. All trials are measured on the same images there. With a rung at every fold, one trial of fifty would
    reach its end.

    Args:
      keep: the share of trials that continue: 1/3 is successive halving, 1/2 a median rule, 1 prunes nothing.
    """

    pauses = False
    folds: int | None = None

    def __init__(self, keep: float) -> None:
        self.keep = keep

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Returns the steps after which a trial of so many epochs may be pruned; its last step is never one of them."""
        if self.folds:
            return tuple(sorted({1, math.ceil(self.folds / PARTS[-1])} - {self.folds}))
        return _rungs(epochs)

    def is_peer(self, trial: optuna.trial.FrozenTrial, other: optuna.trial.FrozenTrial) -> bool:
        """Returns whether the trial is compared with the other one."""
        return True

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """Returns whether the trial is at a rung and not among the best share there."""
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
        """Returns no numbers, because a trial that this pruner stops has ended."""
        return []


@cache  # every decision asks for the rungs of all trials
def _rungs(epochs: int) -> tuple[int, ...]:
    return tuple(sorted({math.ceil(epochs / part) for part in PARTS} - {epochs}))


def epochs_of(trial: optuna.trial.FrozenTrial) -> int:
    """Returns the number of epochs in the trial's config, which is a user attribute; 0 if the trial has no config."""
    return trial.user_attrs["config"].get("epochs", 0)


def new() -> RungPruner:
    """Returns the pruner that keeps a third of the trials at each rung."""
    return RungPruner(keep=1 / 3)
