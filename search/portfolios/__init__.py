"""Configs known to be good, a portfolio a file, in the order in which they are worth trying.

In each file `POINTS` maps the number of a default space to a function that returns {name of the config: parameters of
that space}. They are frozen as the space is, for a sweep goes on with the queue that it began with.

A search begins with the portfolio that `--baselines` names; to add one, add its file here, and its name to `PORTFOLIOS`
in `storage/sweep_file.py`. The references are in every search of a default space.
"""

from importlib import import_module

from sweep.storage.sweep_file import Values


def configs(portfolio: str, space: int) -> dict[str, Values]:
    """Returns a portfolio's configs by name, as parameters of a default space; none of a space that it does not know.

    Args:
      portfolio: the name of its file.
      space: the number of the default space.
    """
    points: dict[str, Values] = import_module(f"{__name__}.{portfolio}").POINTS.get(space, dict)()
    return points
