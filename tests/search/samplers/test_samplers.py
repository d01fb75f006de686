"""The samplers: what they draw, and which trials they learn from."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.samplers import SAMPLERS, new_sampler
from search.samplers.tpe_2 import hidden_trials
from storage.states import Reason
from tests.trials import execute, in_memory, open_bridge, outcome

FAMILIES = ["good", "bad"]
DISTRIBUTIONS = {
    "arch": optuna.distributions.CategoricalDistribution(FAMILIES),
    "lr": optuna.distributions.FloatDistribution(1e-3, 1.0, log=True),
}


def trial_of(arch, value, lr=0.1, state=TrialState.COMPLETE, epochs=9, **attributes):
    pruned = {"reason": Reason.NOT_AMONG_THE_BEST} if state == TrialState.PRUNED else {}
    return create_trial(
        state=state,
        value=value,
        params={"arch": arch, "lr": lr},
        distributions=DISTRIBUTIONS,
        user_attrs={"config": {"arch": arch, "epochs": epochs}} | pruned | attributes,
        intermediate_values={1: value} if state == TrialState.PRUNED else {epochs: value},
    )


def study_of(*trials):
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return study


def early_end(arch, value=0.2, **attributes):
    return trial_of(arch, value, state=TrialState.PRUNED, **attributes)


def hidden(*trials):
    return hidden_trials(study_of(*trials).get_trials())


def test_a_trial_pruned_at_its_first_rung_does_not_count_against_a_family_that_has_hardly_passed_it():
    assert hidden(early_end("good"), early_end("good"), trial_of("good", 0.6, passed=1)) == {0, 1}


def test_it_counts_once_two_trials_of_the_family_have_passed():
    passed = [trial_of("good", 0.6, passed=3), trial_of("good", 0.5, passed=1, state=TrialState.PRUNED)]

    assert hidden(early_end("good"), *passed) == set()
    assert hidden(early_end("bad"), *passed) == {0}


def test_a_baseline_that_is_never_pruned_has_passed_nothing():
    assert hidden(early_end("good"), *[trial_of("good", 0.6, baseline="reference good")] * 2) == {0}


def test_a_trial_that_passed_a_rung_or_could_not_be_trained_counts():
    diverged = trial_of("good", 0.1, state=TrialState.PRUNED, reason="diverged")

    assert hidden(early_end("good", passed=1), diverged) == set()


def test_a_family_with_unlucky_first_draws_is_drawn_again():
    """The only early draws of the better family had a rate that cannot train; the other's were good for what it is."""
    unlucky = [early_end("good", lr=lr) for lr in (0.001, 0.0012, 0.9, 0.95)]
    others = [trial_of("bad", 0.5 + n / 100, lr=0.05 + n / 100, passed=3) for n in range(12)]
    study = study_of(*unlucky, *others)
    shares = {}
    for version in (1, 2):
        drawn = []
        for number in range(60):
            study.sampler = new_sampler("tpe", 3, number, version)
            trial = study.ask()
            drawn.append(trial.suggest_categorical("arch", FAMILIES))
            study.tell(trial, state=TrialState.FAIL)
        shares[version] = drawn.count("good") / len(drawn)

    assert shares[2] > 2 * shares[1]


RANGES = DISTRIBUTIONS | {
    "batch_size": optuna.distributions.IntDistribution(8, 64, log=True),
    "dropout": optuna.distributions.FloatDistribution(0.0, 0.5),
}


def drawn(name, version, number):
    """The parameters of a draw after twelve trials."""
    study = study_of(*[trial_of(FAMILIES[n % 2], n / 20, lr=0.01 * (n + 1)) for n in range(12)])
    study.sampler = new_sampler(name, 5, number, version)
    return study.ask(RANGES).params


@pytest.mark.parametrize(("name", "version"), SAMPLERS, ids=[f"{name}_{version}" for name, version in SAMPLERS])
class TestSampler:
    def test_the_same_seed_and_number_draw_the_same_whatever_was_drawn_before(self, name, version):
        first = drawn(name, version, 12)
        other = drawn(name, version, 13)

        assert drawn(name, version, 12) == first
        assert first != other

    def test_what_it_draws_lies_in_the_ranges(self, name, version):
        for number in range(12, 32):
            params = drawn(name, version, number)
            assert params.keys() == RANGES.keys()
            assert all(RANGES[each]._contains(RANGES[each].to_internal_repr(params[each])) for each in RANGES)

    def test_a_sweep_that_is_started_again_and_again_draws_what_one_that_was_not_draws(self, name, version, tmp_path):
        plan = {"sampler": name, "sampler_version": version}
        for trials in (1, 4, 11, 14):
            bridge, _ = open_bridge(tmp_path / "again", trials, **plan)
            execute(bridge, in_memory())
        bridge, _ = open_bridge(tmp_path / "at once", 14, **plan)
        execute(bridge, in_memory())

        assert outcome(tmp_path / "again") == outcome(tmp_path / "at once")
