"""The samplers, by name and number: what the next trial's parameters are drawn by.

What was ever published stays as it is, in a file of its own: a sweep goes on under the sampler that it began with.
A change of what is drawn is a new file with the next number.
"""

import numpy as np
from optuna.samplers import BaseSampler

from search.samplers import gp_1, random_1, tpe_1, tpe_2

NEWEST = 2
SAMPLERS = {
    1: {"tpe": tpe_1.new, "gp": gp_1.new, "random": random_1.new},
    2: {"tpe": tpe_2.new, "gp": gp_1.new, "random": random_1.new},
}
NAMES = tuple(SAMPLERS[NEWEST])


def new_sampler(name: str, seed: int, number: int, version: int = NEWEST, turn: int = 0) -> BaseSampler:
    """Returns the sampler of one draw: a function of the sweep's seed and the trial's number, so a restart draws alike.

    Args:
      number: of the trial that is drawn.
      version: the sampler's own number, as `sweep.json` has it.
      turn: how often the trial was drawn before.
    """
    drawn = np.random.SeedSequence([seed, number], spawn_key=(turn,) if turn else ())
    return SAMPLERS[version][name](int(drawn.generate_state(1)[0]))
