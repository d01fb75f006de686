"""The spaces in which the searches on a table draw: the space of the table, and its form in the old search."""

import json

from benchmarks.curves.table import About
from sweep.search.spaces import DEFAULT, suggest_of
from sweep.search.spaces.space import Space

OLD_DEFAULT = 1  # the number of the default space of the old search
MOST_EPOCHS = 40  # for a space that does not search the epochs


def space_of(about: About) -> Space:
    """Returns the space from which the configs of a table were drawn."""
    return _space(about, about.space[1])


def old_space_of(about: About) -> Space:
    """Returns the space of a table in the old search.

    This is the first default space in place of a later one; other spaces did not exist then, and stay the same.
    """
    name, number = about.space
    return _space(about, OLD_DEFAULT if name == DEFAULT else number)


def _space(about: About, number: int) -> Space:
    return Space(suggest_of(about.space[0], number, about.backbones), about.fixed, _most_epochs(about))


def _most_epochs(about: About) -> int:
    ranges = [json.loads(text) for name in about.ranges if name.endswith("epochs") for text in about.ranges[name]]
    return max((each["attributes"]["high"] for each in ranges), default=MOST_EPOCHS)
