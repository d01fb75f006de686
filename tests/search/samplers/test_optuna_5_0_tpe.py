"""The quick TPE draws what Optuna's own does."""

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.samplers._tpe import _truncnorm, probability_distributions

from sweep.search.samplers import optuna_5_0_tpe
from sweep.search.samplers.optuna_5_0_tpe import log_density


def suggest(trial):
    """Every kind of parameter, in two branches."""
    trial.suggest_float("lr", 1e-4, 1.0, log=True)
    trial.suggest_int("batch_size", 8, 64, log=True)
    if trial.suggest_categorical("arch", ["wide", "deep", "none"]) == "wide":
        trial.suggest_float("width", 0.5, 4.0, step=0.5)
        trial.suggest_categorical("flip", [False, True])
    else:
        trial.suggest_int("depth", 1, 9, step=2)
        trial.suggest_float("dropout", 0.0, 0.5)


def study_of(trials, direction, seed=0):
    """A study of trials of every state and end; the draws of two of them are known and not yet asked for."""
    rng = np.random.default_rng(seed)
    study = optuna.create_study(direction=direction, sampler=TPESampler(seed=seed, group=True))
    for number in range(trials):
        trial = study.ask()
        if number < trials - 2:
            suggest(trial)
        else:
            trial.suggest_float("lr", 1e-4, 1.0, log=True)
        for step in range(1, 1 + rng.integers(4)):
            trial.report(float("nan") if rng.random() < 0.05 else rng.integers(5) / 5, step)
        match rng.integers(10):
            case 0 | 1 | 2 | 3:
                study.tell(trial, rng.integers(7) / 7)
            case 4 | 5 | 6:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            case 7:
                trial.set_constraint("trainable", rng.random())
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            case 8:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return study


def drawn(study, sampler):
    study.sampler = sampler
    trial = study.ask()
    suggest(trial)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return trial.params


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("trials", [12, 60, 180])
def test_it_draws_what_optunas_own_draws(trials, direction):
    study = study_of(trials, direction)

    for seed in range(12):
        assert drawn(study, optuna_5_0_tpe.new(seed)) == drawn(study, TPESampler(seed=seed, group=True))


def test_a_trial_that_ran_and_has_other_parameters_by_now_is_seen_anew():
    study = study_of(30, "maximize")
    running = study.ask()
    drawn(study, optuna_5_0_tpe.new(0))
    suggest(running)
    study.tell(running, 0.9)

    for seed in range(12):
        assert drawn(study, optuna_5_0_tpe.new(seed)) == drawn(study, TPESampler(seed=seed, group=True))


def test_another_version_of_optuna_draws_by_its_own_sampler(monkeypatch):
    monkeypatch.setattr("sweep.search.samplers.optuna_5_0.VERSION", "6.1")

    assert type(optuna_5_0_tpe.new(0)) is TPESampler


def test_a_density_is_that_of_optuna_also_at_the_ends_and_far_from_every_kernel():
    rng, count = np.random.default_rng(1), 40
    sigma = np.exp(rng.uniform(-9, 0, count))
    mixture = probability_distributions._MixtureOfProductDistribution(
        np.full(count, 1 / count),
        [
            probability_distributions._BatchedTruncNormDistributions(
                rng.choice([0.0, 0.4, 1.0], count), sigma, 0.0, 1.0
            ),
            probability_distributions._BatchedDiscreteTruncLogNormDistributions(
                np.log(rng.integers(1, 9, count)), sigma, 1, 9, 1
            ),
        ],
    )
    samples = np.column_stack([rng.choice([0.0, 0.2, 1.0], 20), rng.integers(1, 10, 20)])
    _truncnorm._log_ndtr_single.cache_clear()

    np.testing.assert_allclose(log_density(mixture, samples), mixture.log_pdf(samples), rtol=1e-9)
