"""The policies, by name: each is a whole search, of this project or of a rival.

A policy is a file `NAME.py` with a `KIND`. To add one, add its file and its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.replay.contract import Limit, Policy
from sweep.search.spaces.space import Space

NAMES = (
    "random",
    "random_twice",
    "one_epoch",
    "old_rungs",
    "promotion",
    "old_search",
    "stopping_search",
    "promoting_search",
    "ray_tune",
    "optuna_hyperband",
)


@dataclass(frozen=True)
class Task:
    """What a policy is asked for.

    Attributes:
      seed: of its draws.
      space: what configs may be drawn from.
      space_name: its name and its own number.
      old_space: the same as it was in the old search.
      limit: what it may use.
    """

    seed: int
    space: Space
    space_name: tuple[str, int]
    old_space: Space
    limit: Limit


@dataclass(frozen=True)
class PolicyKind:
    """A policy before it has a task; `new` is a function of a module, or a `partial` of one, for other processes.

    Attributes:
      name: that of its file, or one that no file has.
      shown: what tables call it.
      draws_configs: whether it has a sampler; else its configs come in the order that is common to all policies.
      budgets: how often it gets the seconds that the others get.
    """

    name: str
    shown: str
    new: Callable[[Task], Policy]
    draws_configs: bool
    budgets: float = 1.0


def policy_kind(name: str) -> PolicyKind:
    kind: PolicyKind = import_module(f"{__name__}.{name}").KIND
    return kind
