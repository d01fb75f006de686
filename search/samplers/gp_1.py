"""Draws the parameters that all trials have by a Gaussian process; those of one branch are drawn at random."""

from optuna.samplers import GPSampler


def new(seed: int) -> GPSampler:
    """Returns the sampler for one draw."""
    return GPSampler(seed=seed, deterministic_objective=False)
