"""How the members of an ensemble are chosen, and how their predictions become one, by number.

What was ever published stays as it is, in a file of its own: a sweep is reported and predicted with by the ensembles
that it began with. A change is a file with the next number.
"""

from importlib import import_module

from sweep.analysis.estimates.ensembles.contract import Ensembles

NAMES = {1: "probabilities_1", 2: "log_probabilities_2", 3: "adjusted_3"}
NEWEST = max(NAMES)


def ensembles(number: int) -> Ensembles:
    """Returns what has this number in `sweep.json`."""
    found: Ensembles = import_module(f"{__name__}.{NAMES[number]}").ENSEMBLES
    return found
