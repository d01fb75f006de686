from optuna.samplers import RandomSampler


def new(seed):
    return RandomSampler(seed=seed + 1)
