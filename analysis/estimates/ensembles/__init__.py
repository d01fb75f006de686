"""The ways to choose the members of an ensemble and to combine their predictions, each with a number.

A way that was ever published stays unchanged in a file of its own, because reports and predictions of a sweep use the
way that the sweep began with. A change is made as a new file with the next number.
"""

from importlib import import_module

from sweep.analysis.estimates.ensembles.contract import Ensembles

NAMES = {1: "probabilities_1", 2: "log_probabilities_2", 3: "adjusted_3"}
NEWEST = max(NAMES)


def ensembles(number: int) -> Ensembles:
    """Returns the way to make ensembles that has this number in `sweep.json`."""
    way: Ensembles = import_module(f"{__name__}.{NAMES[number]}").ENSEMBLES
    return way
