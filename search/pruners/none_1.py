"""Every trial goes on to its last epoch; it still reports at the rungs of halving."""

from sweep.search.pruners.halving_1 import RungPruner


def new() -> RungPruner:
    return RungPruner(keep=1.0)
