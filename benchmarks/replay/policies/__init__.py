"""The policies, each of which is a whole search of this project or of a rival; they are looked up by name.

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
    """The task of a policy.

    Attributes:
      seed: the seed of its draws.
      space: the space from which configs may be drawn.
      space_name: the name and number of the space.
      old_space: the space in its form in the old search.
      limit: the limits of the search.
    """

    seed: int
    space: Space
    space_name: tuple[str, int]
    old_space: Space
    limit: Limit


@dataclass(frozen=True)
class PolicyKind:
    """A kind of policy, which makes a policy for a task.

    Attributes:
      name: the name of its file, or a name that no file has.
      shown: its name in tables.
      new: makes the policy; a module's function or a `partial` of one, because other processes must be able to load it.
      draws_configs: whether it has a sampler; otherwise its configs come in the order that all policies share.
      budgets: its time as a multiple of the time of the others.
    """

    name: str
    shown: str
    new: Callable[[Task], Policy]
    draws_configs: bool
    budgets: float = 1.0


def policy_kind(name: str) -> PolicyKind:
    """Returns the policy with this name."""
    kind: PolicyKind = import_module(f"{__name__}.{name}").KIND
    return kind
