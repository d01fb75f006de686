"""Portfolios of configs that are known to be good, one file each, in the order in which they are worth trying.

In each file `POINTS` maps the number of a default space to a function, which returns configs by name, as parameters of
that space. Like the spaces, they must not change, because a sweep continues with the queue that it began with.

A search begins with the portfolio that `--baselines` names. To add one, add its file here, and its name to `PORTFOLIOS`
in `storage/sweep_file.py`. The references are in every search of a default space.
"""

from importlib import import_module

from sweep.storage.sweep_file import Values


def configs(portfolio: str, space: int) -> dict[str, Values]:
    """Returns a portfolio's configs by name, as parameters of a default space; empty if it has none for that space.

    Args:
      portfolio: the name of its file.
      space: the number of the default space.
    """
    points: dict[str, Values] = import_module(f"{__name__}.{portfolio}").POINTS.get(space, dict)()
    return points
