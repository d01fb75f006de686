"""A trial goes on while it is in the better half of those that came as far, at the rungs of halving."""

from sweep.search.pruners.halving_1 import RungPruner


def new() -> RungPruner:
    return RungPruner(keep=1 / 2)
