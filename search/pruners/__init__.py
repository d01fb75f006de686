"""The pruners, by name and number: which trials go on at a rung.

A pruner is a file `NAME_NUMBER.py` with a function `new`, which makes a `Pruner`. To add one, add its file and its
line.

What was ever published stays as it is: a sweep goes on under the pruner that it began with. A change of the rule or of
the rungs is a new file with the number `NEWEST + 1`, whatever its name: sweeps have one number for all pruners, and
each runs the newest file of its name up to that number.
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
    """Decides by intermediate values alone, and writes nothing, so that a restart decides the same."""

    folds: int | None
    """Of the images, of which each trial has a net; None where a trial has one net. Then a step is a whole fold."""

    pauses: bool
    """Whether a trial that does not go on at its rung is paused there, for it may go on later; else it ends."""

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Returns the steps after which a trial of so many epochs may be pruned, in order; its last is none of them."""

    def prune(self, study: "Study", trial: "FrozenTrial") -> bool:
        """Returns whether a trial does not go on here; one that is at no rung does."""

    def promoted(self, study: "Study", paused: "Iterable[FrozenTrial]", is_last: bool = False) -> list[int]:
        """Returns the numbers of those paused trials that may go on now, in the order in which they should.

        Args:
          is_last: no other trial will come to any rung.
        """


def new_pruner(name: str, version: int = NEWEST, folds: int | None = None) -> Pruner:
    """Args:
    version: the pruner's own number, as `sweep.json` has it.
    folds: of the images, where a trial has a net for each.
    """
    own = max(known for each, known in PRUNERS if each == name and known <= version)
    pruner: Pruner = import_module(f"{__name__}.{name}_{own}").new()
    pruner.folds = folds
    return pruner
