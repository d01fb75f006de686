"""The samplers, by name and number: what the next trial's parameters are drawn by.

A sampler is a file `NAME_NUMBER.py` with a function `new`, which makes an Optuna sampler for one draw out of a seed. It
keeps nothing in itself. Of other trials it knows what the study says, of those that run their parameters alone; what it
notes in system attributes of the trial that it draws, it finds there at later draws, after a restart too. So a restart
draws the same. To add one, add its file and its line.

What was ever published stays as it is: a sweep goes on under the sampler that it began with. A change of what is drawn
is a new file with the number `NEWEST + 1`, whatever its name: sweeps have one number for all samplers, and each runs
the newest file of its name up to that number.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SAMPLERS = (
    ("tpe", 1),
    ("tpe", 2),
    ("gp", 1),
    ("gp", 3),
    ("random", 1),
    ("cmaes", 3),
)
NEWEST = max(number for _, number in SAMPLERS)
NAMES = tuple(dict.fromkeys(name for name, _ in SAMPLERS))


def new_sampler(name: str, seed: int, number: int, version: int = NEWEST, turn: int = 0) -> "BaseSampler":
    """Returns the sampler of one draw: a function of the sweep's seed and the trial's number, so a restart draws alike.

    Args:
      number: of the trial that is drawn.
      version: the sampler's own number, as `sweep.json` has it.
      turn: how often the trial was drawn before.
    """
    import numpy as np  # a second driver, which needs the names alone, is refused before this

    own = max(known for each, known in SAMPLERS if each == name and known <= version)
    drawn = np.random.SeedSequence([seed, number], spawn_key=(turn,) if turn else ())
    sampler: BaseSampler = import_module(f"{__name__}.{name}_{own}").new(int(drawn.generate_state(1)[0]))
    return sampler
