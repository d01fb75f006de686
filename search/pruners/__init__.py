"""The pruners, by name and number: which trials go on at a rung.

What was ever published stays as it is, in a file of its own: a sweep goes on under the pruner that it began with.
A change of the rule or of the rungs is a new file with the next number.
"""

from search.pruners import halving_1
from search.pruners.halving_1 import RungPruner

NEWEST = 1
PRUNERS = {1: halving_1.PRUNERS}
NAMES = tuple(PRUNERS[NEWEST])


def new_pruner(name: str, number: int = NEWEST) -> RungPruner:
    return PRUNERS[number][name]()
