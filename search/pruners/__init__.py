"""The pruners, which decide at each rung of a trial whether it continues; they are looked up by name and number.

A pruner is a file `NAME_NUMBER.py` with a function `new`, which makes a `Pruner`. To add one, add its file and its line
in `PRUNERS`.

A published pruner never changes, because a sweep continues under the pruner that it began with. To change a rule or its
rungs, add a new file with the number `NEWEST + 1`, whatever its name is. All pruners share one counter: a sweep stores
one number, and uses the newest file of its pruner's name up to that number.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

PRUNERS = (
    ("halving", 1),
    ("median", 1),
    ("none", 1),
    ("halving", 2),
    ("median", 2),
    ("halving", 3),
)
NEWEST = max(number for _, number in PRUNERS)
NAMES = tuple(dict.fromkeys(name for name, _ in PRUNERS))


class Pruner(Protocol):
    """The contract of a pruner: it reads only the values that trials reported and stores nothing.

    A restart therefore decides the same. A step is an epoch, or a whole fold if each trial has a net for each fold.
    """

    folds: int | None
    """The number of folds, for each of which a trial trains a net; None if a trial trains one net in all."""

    pauses: bool
    """Whether a trial that may not continue at its rung is paused, and may continue later; otherwise it ends."""

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Returns, in order, the steps after which a trial of so many epochs may be pruned; never its last step."""

    def prune(self, study: "Study", trial: "FrozenTrial") -> bool:
        """Returns whether the trial must stop here; False if it is at no rung."""

    def promoted(self, study: "Study", paused: "Iterable[FrozenTrial]", is_last: bool = False) -> list[int]:
        """Returns the numbers of those paused trials that may continue now, in the order in which they should.

        Args:
          is_last: whether no other trial will reach any rung.
        """


def new_pruner(name: str, version: int = NEWEST, folds: int | None = None) -> Pruner:
    """Returns the pruner of this name.

    Args:
      version: the number that `sweep.json` stores; the newest file of this name up to it is used.
      folds: the number of folds, if a trial trains a net for each.
    """
    number = max(number for each, number in PRUNERS if each == name and number <= version)
    pruner: Pruner = import_module(f"{__name__}.{name}_{number}").new()
    pruner.folds = folds
    return pruner
