"""The worlds, which differ in their assumption about the training of configs that are not in the table.

A world is a file `NAME.py` with a `KIND`. To add one, add its file and its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.curves.table import Table
from benchmarks.replay.contract import World

NAMES = ("rows", "forest", "nearest")

Worlds = Callable[[int, int], World]
"""Makes the world of a replay from its seed and the half of the images, 0 or 1, by which a search chooses."""


@dataclass(frozen=True)
class WorldKind:
    """A kind of world, which makes worlds for a table.

    Attributes:
      shown: its name in tables.
      new: returns the function that makes a table's worlds.
      takes_configs: whether it has a course for any config; otherwise policies must take the shared order.
      reference: the policy whose time for a number of trials is the budget of every policy.
      judged: the policy with which the others are compared.
      known: returns figures, by name, of how well the world predicts configs that are not in its table.
    """

    shown: str
    new: Callable[[Table], Worlds]
    takes_configs: bool
    reference: str
    judged: str
    known: Callable[[Table], dict[str, float]]


def world_kind(name: str) -> WorldKind:
    """Returns the world with this name."""
    kind: WorldKind = import_module(f"{__name__}.{name}").KIND
    return kind
