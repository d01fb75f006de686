"""Prunes as `halving_1` does, but compares a trial only with those that began as it did.

A net that starts from pretrained weights is ahead of one from scratch at every rung, long before either has come to
what it ends at: beside it each net from scratch would be pruned, however good.
"""

import optuna

from sweep.search.pruners.halving_1 import RungPruner


class FairRungPruner(RungPruner):
    """Halving among the trials from pretrained weights, and among those from scratch."""

    def is_peer(self, trial: optuna.trial.FrozenTrial, other: optuna.trial.FrozenTrial) -> bool:
        return is_pretrained(trial) == is_pretrained(other)


def is_pretrained(trial: optuna.trial.FrozenTrial) -> bool:
    return bool(trial.user_attrs["config"].get("pretrained"))


def new() -> FairRungPruner:
    return FairRungPruner(keep=1 / 3)
