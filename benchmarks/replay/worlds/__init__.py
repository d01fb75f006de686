"""The worlds, by name: what is assumed of the training of a config that a table may not have.

A world is a file `NAME.py` with a `KIND`. To add one, add its file and its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.curves.table import Table
from benchmarks.replay.contract import World

NAMES = ("rows", "forest", "nearest")

Worlds = Callable[[int, int], World]
"""Makes the world of a replay, out of its seed and of the half of the images, 0 or 1, by which a search chooses."""


@dataclass(frozen=True)
class WorldKind:
    """A world before it has a table.

    Attributes:
      shown: what tables call it.
      takes_configs: whether it knows how any config goes; else a policy must take the common order.
      reference: the policy whose time for a number of trials is the budget of every policy.
      judged: the policy that the others are compared with.
      known: measures how well the world knows configs that are not in its table, each figure by what it is called.
    """

    shown: str
    new: Callable[[Table], Worlds]
    takes_configs: bool
    reference: str
    judged: str
    known: Callable[[Table], dict[str, float]]


def world_kind(name: str) -> WorldKind:
    kind: WorldKind = import_module(f"{__name__}.{name}").KIND
    return kind
