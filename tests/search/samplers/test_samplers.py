"""The samplers: what they draw, and which trials they learn from."""

import pickle

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from sweep.analysis.record import Record
from sweep.search.samplers import SAMPLERS, new_sampler
from sweep.search.samplers.counted import counted
from sweep.search.samplers.tpe_2 import hidden_trials
from sweep.storage.states import Reason
from sweep.trainable.config import TrialConfig
from sweep.trainable.worker.attempt import Attempt
from tests.trials import execute, fake_train, in_memory, open_bridge, outcome

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


def numbers_alone(trial):
    """Three numbers, of which some diverge."""
    return TrialConfig(
        arch="mlp",
        width=0.1,
        lr=trial.suggest_float("lr", 1e-3, 1.0, log=True),
        label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.2),
        weight_decay=trial.suggest_float("weight_decay", 0.0, 0.1),
        epochs=3,
    )


def ends_after(folder, trials, reports, **plan):
    """Runs a sweep for so many reports, whose driver then is no more; returns whether it came to its end."""
    bridge, _ = open_bridge(folder, trials, **plan)
    while not bridge.finished and reports > 0:
        order = bridge.next_order()
        attempt = Attempt(order, in_memory(), train=fake_train)
        while order.number in bridge.running and reports > 0:
            reports -= 1
            if bridge.report(order.number, attempt.next_report()):
                bridge.released(order.number, order.attempt)
    return bridge.finished


def configs(folder):
    return [str(trial.config) for trial in Record(folder).trials]


def noted(trial):
    """A trial's system attributes that a sampler reads, the state of CMA-ES as its numbers."""
    state = "".join(text for name, text in trial.system_attrs.items() if "optimizer" in name)
    strategy = vars(pickle.loads(bytes.fromhex(state))) if state else {}
    numbers = {name: repr(value) for name, value in strategy.items() if name not in ("_rng", "_funhist_values")}
    return numbers | {name: value for name, value in trial.system_attrs.items() if value and "optimizer" not in name}


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_trial_that_could_not_be_trained_counts_with_the_worst_value(direction):
    study = optuna.create_study(direction=direction)
    study.add_trials([trial_of("good", 0.7), early_end("good", 0.3), trial_of("bad", None, state=TrialState.FAIL)])
    diverged = study.ask(DISTRIBUTIONS)
    diverged.report(0.5, 1)
    diverged.set_constraint("trainable", 1.0)
    study.tell(diverged, state=TrialState.PRUNED)
    ran = study.ask(DISTRIBUTIONS)

    values = {trial.number: trial.value for trial in counted(study).trials if trial.state == TrialState.COMPLETE}
    with_pruned = counted(study, counts_pruned=True).trials

    assert values == {0: 0.7, diverged.number: 0.7}
    worst = 0.3 if direction == "maximize" else 0.7
    assert [trial.value for trial in with_pruned] == [0.7, 0.3, None, worst, None]
    assert with_pruned[-1].number == ran.number
    assert not any(trial.constraints for trial in with_pruned)


def test_what_was_given_whole_or_has_no_config_leaves_the_parameters_that_trials_share_as_they_are():
    whole = create_trial(state=TrialState.COMPLETE, value=0.9)
    part = create_trial(
        state=TrialState.PRUNED,
        params={"arch": "bad"},
        distributions={"arch": DISTRIBUTIONS["arch"]},
        user_attrs={"reason": Reason.NO_CONFIG},
        constraints={"trainable": 1.0},
    )
    study = study_of(whole, trial_of("good", 0.5), part)

    assert [trial.number for trial in counted(study, counts_pruned=True).trials] == [1]


def test_cma_es_begins_anew_over_the_numbers_that_are_left_when_another_branch_comes_in():
    study = optuna.create_study(direction="maximize")
    for number in range(30):
        study.sampler = new_sampler("cmaes", 5, number)
        trial = study.ask()
        value = trial.suggest_float("lr", 1e-3, 1.0, log=True) + trial.suggest_float("dropout", 0.0, 0.5)
        if number < 12 or number % 2:
            trial.suggest_int("width", 1, 8)
        study.tell(trial, value)

    generations = [
        {name: value for name, value in trial.system_attrs.items() if name.endswith("generation")}
        for trial in study.trials
    ]
    assert generations[11] == {"cma:3:generation": 1}
    assert generations[13] == {"cma:2:generation": 0}
    assert generations[29]["cma:2:generation"] >= 2
    first, last = ([trial.value for trial in half] for half in (study.trials[:10], study.trials[20:]))
    assert sum(last) > sum(first)


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

    def test_a_driver_killed_anywhere_goes_on_with_the_same_configs(self, name, version, tmp_path):
        plan = {"sampler": name, "sampler_version": version}
        while not ends_after(tmp_path / "killed", 14, reports=5, **plan):
            pass
        ends_after(tmp_path / "not killed", 14, reports=1000, **plan)

        assert configs(tmp_path / "killed") == configs(tmp_path / "not killed")
        assert len(set(configs(tmp_path / "killed"))) == 14

    @pytest.mark.parametrize("pruner_number", [2, 3])  # which stops trials, or lets them wait
    def test_what_it_noted_among_trials_that_ran_or_waited_is_there_after_a_restart(
        self, name, version, pruner_number, tmp_path
    ):
        plan = {"sampler": name, "sampler_version": version, "pruner_number": pruner_number}
        bridge, _ = open_bridge(tmp_path, 24, function=numbers_alone, **plan)
        execute(bridge, in_memory(), workers=3)

        again, _ = open_bridge(tmp_path, 24, function=numbers_alone, **plan)

        assert list(map(noted, again.ledger.trials)) == list(map(noted, bridge.ledger.trials))

    def test_a_sweep_that_is_started_again_and_again_draws_what_one_that_was_not_draws(self, name, version, tmp_path):
        plan = {"sampler": name, "sampler_version": version}
        for trials in (1, 4, 11, 14):
            bridge, _ = open_bridge(tmp_path / "again", trials, **plan)
            execute(bridge, in_memory())
        bridge, _ = open_bridge(tmp_path / "at once", 14, **plan)
        execute(bridge, in_memory())

        assert outcome(tmp_path / "again") == outcome(tmp_path / "at once")
