"""Draws by a tree-structured Parzen estimator: multivariate, grouped, with running trials counted as bad."""

from optuna.samplers import TPESampler

from sweep.search.samplers import optuna_5_0_tpe


def new(seed: int) -> TPESampler:
    return optuna_5_0_tpe.new(seed)
