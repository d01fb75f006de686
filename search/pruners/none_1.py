"""A pruner that lets every trial train to its last epoch; trials still report at the rungs of `halving_1`."""

from sweep.search.pruners.halving_1 import RungPruner


def new() -> RungPruner:
    """Returns the pruner that keeps all trials."""
    return RungPruner(keep=1.0)
