"""The published spaces, by name and number, and what bounds any space.

A space is a file `NAME_NUMBER.py`. It has a function `suggest`, which draws a config; or, where what it draws depends
on the pretrained nets that a sweep uses, a function `new`, which makes `suggest` for a list of them.

What was ever published stays as it is: a sweep goes on in the space that it began in, whose name and number stand in
its `sweep.json`. A change of what is searched is a new file with the number `NEWEST + 1`, whatever its name: sweeps
have one number for all spaces, and each draws from the newest file of its name up to that number. A family of
architectures is drawn only where a space names it.

What a sweep searches beside a published space because its data asks for it is an `Addition`, a file with a number of
its own. Where the classes are unequal it is `imbalance_NUMBER.py`.
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
DEFAULT = NAMES[0]  # of sweeps before a space had a name, and where no pretrained net is at hand


def suggest_of(name: str, number: int = NEWEST, backbones: Sequence[str] = ()) -> Callable[[Any], Any]:
    """Returns the function of a published space.

    Args:
      number: the space's own number, as `sweep.json` has it.
      backbones: the pretrained nets that the sweep uses; a space that names its nets itself does not read them.
    """
    module = _module(name, number)
    suggest: Callable[[Any], Any] = module.new(tuple(backbones)) if uses_backbones(name, number) else module.suggest
    return suggest


def imbalance(number: int) -> "Addition":
    """Returns what is searched beside a published space where the classes are unequal."""
    addition: Addition = import_module(f"{__name__}.imbalance_{number}").ADDITION
    return addition


def uses_backbones(name: str, number: int = NEWEST) -> bool:
    """Returns whether a space is made for a list of pretrained nets."""
    return hasattr(_module(name, number), "new")


def largest_side(name: str, number: int = NEWEST) -> int | None:
    """Returns the side in px at which larger images are kept for a space; None where it has no wish of its own."""
    side: int | None = getattr(_module(name, number), "LARGEST_SIDE", None)
    return side


def own_number(name: str, number: int) -> int:
    """Returns the number of the newest file of this name up to that number."""
    return max(known for each, known in SPACES if each == name and known <= number)


def _module(name: str, number: int) -> ModuleType:
    return import_module(f"{__name__}.{name}_{own_number(name, number)}")
