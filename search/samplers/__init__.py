"""The samplers, which draw the parameters of the next trial; they are looked up by name and number.

A sampler is a file `NAME_NUMBER.py` with a function `new`, which takes a seed and makes an Optuna sampler for one draw.
To add one, add its file and its line in `SAMPLERS`.

A restart must draw the same trials, so a sampler keeps no state in itself. It knows about other trials what the
study says, and about running trials only their parameters. It may note something in the system attributes of the trial
that it draws; it finds these notes at later draws, also after a restart.

A published sampler never changes, because a sweep continues under the sampler that it began with. To change what is
drawn, add a new file with the number `NEWEST + 1`, whatever its name is. All samplers share one counter: a sweep stores
one number, and uses the newest file of its sampler's name up to that number.
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
    """Returns the sampler for one draw, which depends only on the seed, the trial's number and the turn.

    Args:
      seed: the seed of the sweep.
      number: the number of the trial that is drawn.
      version: the number that `sweep.json` stores; the newest file of this name up to it is used.
      turn: how many times the trial was drawn before.
    """
    import numpy as np  # imported late: a second driver is refused before it needs more than the names

    file_number = max(other for each, other in SAMPLERS if each == name and other <= version)
    sequence = np.random.SeedSequence([seed, number], spawn_key=(turn,) if turn else ())
    sampler: BaseSampler = import_module(f"{__name__}.{name}_{file_number}").new(int(sequence.generate_state(1)[0]))
    return sampler
