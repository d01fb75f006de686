"""Pruning from intermediate values alone."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from sweep.search.pruners import PRUNERS, new_pruner
from sweep.search.pruners.halving_1 import RungPruner


def study_with(values, epochs=9, direction="maximize", state=TrialState.RUNNING):
    """A trial for each list of values, one an epoch."""
    study = optuna.create_study(direction=direction)
    for history in values:
        study.add_trial(
            create_trial(
                state=state,
                values=None,
                user_attrs={"config": {"epochs": epochs}},
                intermediate_values=dict(enumerate(history, 1)),
            )
        )
    return study


def decisions(study, keep):
    return [RungPruner(keep).prune(study, trial) for trial in study.trials]


def test_the_best_third_at_a_rung_goes_on():
    study = study_with([[value] for value in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)])

    assert decisions(study, 1 / 3) == [True, True, True, True, False, False]
    assert decisions(study, 1 / 2) == [True, True, True, False, False, False]


def test_for_a_loss_small_is_good():
    study = study_with([[value] for value in (0.1, 0.2, 0.3)], direction="minimize")

    assert decisions(study, 1 / 3) == [False, True, True]


def test_between_rungs_nothing_is_pruned():
    study = study_with([[0.1, 0.1], [0.9, 0.9], [0.9, 0.9], [0.9, 0.9]])

    assert decisions(study, 1 / 3) == [False] * 4  # epoch 2 of 9 is no rung


def test_with_few_peers_nothing_is_pruned():
    assert decisions(study_with([[0.1], [0.9]]), 1 / 3) == [False, False]


def test_trials_of_other_lengths_are_compared_at_their_own_rungs():
    study = study_with([[0.1, 0.2, 0.3]], epochs=27)  # its first rung is epoch 3
    for history in ([0.4], [0.5], [0.6]):
        study.add_trial(study_with([history]).trials[0])

    assert RungPruner(1 / 3).prune(study, study.trials[0]) is True


def test_equal_values_are_not_pruned():
    assert decisions(study_with([[0.5]] * 6), 1 / 3) == [False] * 6


@pytest.mark.parametrize(("name", "keep"), [("halving", 1 / 3), ("median", 1 / 2), ("none", 1)])
def test_pruners_by_name(name, keep):
    assert new_pruner(name, 2).keep == keep


@pytest.mark.parametrize("name", ["halving", "median"])
def test_nets_from_scratch_are_not_compared_with_pretrained_ones(name):
    pretrained = study_with([[0.9], [0.8], [0.7], [0.85]]).trials
    for trial in pretrained:
        trial.user_attrs["config"]["pretrained"] = True
    mixed = optuna.create_study(direction="maximize")
    mixed.add_trials([*pretrained, *study_with([[0.3], [0.4], [0.5]]).trials])

    assert new_pruner(name).prune(mixed, mixed.trials[-1]) is False
    assert new_pruner(name, 1).prune(mixed, mixed.trials[-1]) is True  # as a sweep goes on that began so
    assert new_pruner(name).prune(mixed, mixed.trials[2]) is True


def test_none_prunes_nothing():
    study = study_with([[value] for value in (0.1, 0.2, 0.3, 0.4)])

    assert not any(new_pruner("none").prune(study, trial) for trial in study.trials)


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, []), (2, [1]), (3, [1]), (5, [1, 2]), (9, [1, 3]), (27, [3, 9]), (40, [5, 14])]
)
def test_rungs_are_fractions_of_a_trials_own_epochs(epochs, expected):
    assert list(new_pruner("halving", 1).rungs(epochs)) == expected


@pytest.mark.parametrize(("name", "version"), PRUNERS, ids=[f"{name}_{version}" for name, version in PRUNERS])
class TestPruner:
    @pytest.fixture
    def decide(self, name, version):
        """The decision on each trial of a study."""
        return lambda study: [new_pruner(name, version).prune(study, trial) for trial in study.trials]

    def test_rungs_lie_within_the_epochs_and_the_last_is_none(self, name, version):
        for epochs in range(1, 61):
            rungs = new_pruner(name, version).rungs(epochs)
            assert list(rungs) == sorted({*rungs})
            assert all(1 <= rung < epochs for rung in rungs)

    def test_a_trial_at_no_rung_goes_on(self, name, version, decide):
        study = study_with([[0.1] * length for length in range(1, 10)])
        rungs = new_pruner(name, version).rungs(9)

        assert not any(ends for length, ends in enumerate(decide(study), 1) if length not in rungs)

    def test_a_decision_writes_nothing_and_a_restart_decides_the_same(self, decide):
        study = study_with([[value] for value in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)])
        before = [(trial.system_attrs, trial.user_attrs) for trial in study.trials]

        first = decide(study)

        assert [(trial.system_attrs, trial.user_attrs) for trial in study.trials] == before
        assert decide(study) == first
        again = optuna.create_study(direction="maximize")
        again.add_trials(study.trials)
        assert decide(again) == first

    def test_it_reads_intermediate_values_and_the_number_of_epochs_alone(self, decide):
        study, other = study_with([]), study_with([])
        for number, value in enumerate((0.1, 0.2, 0.3, 0.4, 0.5, 0.6)):
            state = (TrialState.RUNNING, TrialState.PRUNED, TrialState.FAIL)[number % 3]
            trial = study_with([[value]]).trials[0]
            study.add_trial(trial)
            more = {"config": {"epochs": 9, "lr": number}, "reason": "diverged", "passed": 1}
            other.add_trial(create_trial(state=state, user_attrs=more, intermediate_values=trial.intermediate_values))

        assert decide(study) == decide(other)
