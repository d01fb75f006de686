"""Draws every parameter independently and uniformly over its range."""

from optuna.samplers import RandomSampler


def new(seed: int) -> RandomSampler:
    """Returns the sampler for one draw."""
    return RandomSampler(seed=seed)
