"""Prunes as `halving_1` does, but compares a trial only with those that began in the same way.

At every rung a net that started from pretrained weights is ahead of one trained from scratch, long before either is
near its final value. Compared with pretrained nets, every net from scratch would be pruned, however good it is.
"""

import optuna

from sweep.search.pruners.halving_1 import RungPruner


class FairRungPruner(RungPruner):
    """Successive halving that ranks pretrained nets and nets from scratch separately."""

    def is_peer(self, trial: optuna.trial.FrozenTrial, other: optuna.trial.FrozenTrial) -> bool:
        """Returns whether both trials began with pretrained weights, or both without."""
        return is_pretrained(trial) == is_pretrained(other)


def is_pretrained(trial: optuna.trial.FrozenTrial) -> bool:
    """Returns whether the trial's net starts from pretrained weights."""
    return bool(trial.user_attrs["config"].get("pretrained"))


def new() -> FairRungPruner:
    """Returns the pruner that keeps a third of the trials at each rung."""
    return FairRungPruner(keep=1 / 3)
