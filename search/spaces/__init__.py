"""The default spaces, by number.

What was ever published stays as it is, in a file of its own: a sweep goes on in the space that it began in, which its
`sweep.json` names. A change of what is searched is a new file with the next number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from search.spaces import default_1, default_2
from search.spaces.space import Function

Points = Callable[[], dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class DefaultSpace:
    """A default space with the points of it that are known.

    Attributes:
      suggest: the space function.
      published: the runs published for the contest that the default nets come from: parameters by name.
      references: one config a family that trains well, by name; they run first, so that no family is judged by
        an unlucky draw.
    """

    suggest: Function
    published: Points
    references: Points


def _none() -> dict[str, dict[str, Any]]:
    return {}


NEWEST = 2
DEFAULT_SPACES = {
    1: DefaultSpace(default_1.suggest, default_1.published, references=_none),
    2: DefaultSpace(default_2.suggest, default_2.published, default_2.references),
}
