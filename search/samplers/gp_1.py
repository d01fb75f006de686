"""Draws by a Gaussian process over the parameters that every trial has; those of a branch are drawn at random."""

from optuna.samplers import GPSampler


def new(seed: int) -> GPSampler:
    return GPSampler(seed=seed, deterministic_objective=False)
