"""A trial goes on while it is in the better half of those that began as it did, at the rungs of halving."""

from sweep.search.pruners.halving_2 import FairRungPruner


def new() -> FairRungPruner:
    return FairRungPruner(keep=1 / 2)
