"""The published search spaces, which are looked up by name and number, and the additions to them.

A space is a file `NAME_NUMBER.py`. It has either a function `suggest`, which draws a config, or a function `new`, which
takes the pretrained nets that the sweep uses and returns such a `suggest`.

A published space never changes, because a sweep continues in the space that it began in; the name and number are in its
`sweep.json`. To change what is searched, add a new file with the number `NEWEST + 1`, whatever its name is. All spaces
share one counter: a sweep stores one number, and uses the newest file of its space's name up to that number. A family
of architectures is drawn only if the space lists it.

An `Addition` is a set of parameters that a sweep searches beside a published space because its data asks for it. It is
a file with a counter of its own: `imbalance_NUMBER.py` is the addition for data with unequal classes.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.search.spaces.space import Addition

SPACES = (
    ("default", 1),
    ("default", 2),
    ("tiny", 1),
    ("photos", 1),
    ("heads", 1),
)
NEWEST = max(number for _, number in SPACES)
NEWEST_IMBALANCE = 1
NAMES = tuple(dict.fromkeys(name for name, _ in SPACES))
DEFAULT = NAMES[0]  # for sweeps from before spaces had names, and where no pretrained net is available


def suggest_of(name: str, number: int = NEWEST, backbones: Sequence[str] = ()) -> Callable[[Any], Any]:
    """Returns the function that draws configs from a published space.

    Args:
      number: the number that `sweep.json` stores; the newest file of this name up to it is used.
      backbones: the pretrained nets that the sweep uses; ignored by a space that does not depend on them.
    """
    module = _module(name, number)
    suggest: Callable[[Any], Any] = module.new(tuple(backbones)) if uses_backbones(name, number) else module.suggest
    return suggest


def imbalance(number: int) -> "Addition":
    """Returns the parameters that are searched beside a published space when the classes are unequal."""
    addition: Addition = import_module(f"{__name__}.imbalance_{number}").ADDITION
    return addition


def uses_backbones(name: str, number: int = NEWEST) -> bool:
    """Returns whether the space is made for a list of pretrained nets, and so has `new` instead of `suggest`."""
    return hasattr(_module(name, number), "new")


def largest_side(name: str, number: int = NEWEST) -> int | None:
    """Returns the side in px to which larger images are reduced for this space, or None if it sets none."""
    side: int | None = getattr(_module(name, number), "LARGEST_SIDE", None)
    return side


def own_number(name: str, number: int) -> int:
    """Returns the number of the newest file of this name whose number is at most `number`."""
    return max(other for each, other in SPACES if each == name and other <= number)


def _module(name: str, number: int) -> ModuleType:
    return import_module(f"{__name__}.{name}_{own_number(name, number)}")
