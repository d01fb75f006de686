"""Draws by a multivariate, grouped tree-structured Parzen estimator that counts running trials as bad ones."""

from optuna.samplers import TPESampler

from sweep.search.samplers import optuna_5_0_tpe


def new(seed: int) -> TPESampler:
    """Returns the sampler for one draw."""
    return optuna_5_0_tpe.new(seed)
