"""Pruning at rungs: a trial goes on only while it is among the best of those that came as far."""

import math

import optuna
from optuna.study import StudyDirection

from trainable.config import rungs

FEWEST_PEERS = 3  # with fewer there is nothing to be worse than


class RungPruner(optuna.pruners.BasePruner):
    """Asynchronous successive halving (Li et al. 2020) at fractions of each trial's own epochs.

    A trial at its k-th rung is compared with every trial's value at that trial's k-th
    rung. Nothing but the intermediate values is read and nothing is written, so that a
    restart decides the same (Optuna's own pruner notes the rung in the trial before it
    decides: killed in between, it lets the trial pass).

    Args:
      keep: the share that goes on; 1/3 is successive halving, 1/2 a median rule.
    """

    def __init__(self, keep: float) -> None:
        self.keep = keep

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        stops = rungs(epochs_of(trial))
        if trial.last_step not in stops:
            return False
        k = stops.index(trial.last_step)
        peers = []
        for other in study.get_trials(deepcopy=False):
            other_stops = rungs(epochs_of(other))
            if k < len(other_stops) and other_stops[k] in other.intermediate_values:
                peers.append(other.intermediate_values[other_stops[k]])
        if len(peers) < FEWEST_PEERS:
            return False
        maximize = study.direction == StudyDirection.MAXIMIZE
        cutoff = sorted(peers, reverse=maximize)[max(0, math.ceil(self.keep * len(peers)) - 1)]
        value = trial.intermediate_values[trial.last_step]
        return value < cutoff if maximize else value > cutoff


def epochs_of(trial: optuna.trial.FrozenTrial) -> int:
    """All the epochs of the trial's config; the study keeps the config beside the parameters."""
    return trial.user_attrs["config"]["epochs"]


def new_pruner(name: str) -> optuna.pruners.BasePruner:
    match name:
        case "halving":
            return RungPruner(keep=1 / 3)
        case "median":
            return RungPruner(keep=1 / 2)
        case _:
            return optuna.pruners.NopPruner()
