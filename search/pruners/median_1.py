"""A pruner that keeps a trial while it is in the better half of those that reached the same rung of `halving_1`."""

from sweep.search.pruners.halving_1 import RungPruner


def new() -> RungPruner:
    """Returns the pruner that keeps half of the trials at each rung."""
    return RungPruner(keep=1 / 2)
