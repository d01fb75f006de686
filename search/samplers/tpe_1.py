"""Draws by a tree-structured Parzen estimator: multivariate, grouped, with running trials counted as bad."""

import warnings

from optuna.samplers import TPESampler


def new(seed: int) -> TPESampler:
    warnings.filterwarnings("ignore", "Argument ``group``")  # experimental since 2020
    return TPESampler(seed=seed, group=True)
