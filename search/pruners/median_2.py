"""A pruner that keeps a trial while it is in the better half of those that began as it did, at each rung."""

from sweep.search.pruners.halving_2 import FairRungPruner


def new() -> FairRungPruner:
    """Returns the pruner that keeps half of the trials at each rung of `halving_2`."""
    return FairRungPruner(keep=1 / 2)
