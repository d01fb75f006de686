"""Pruning from intermediate values alone."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.pruners import new_pruner
from search.pruners.halving_1 import RungPruner


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


def test_a_decision_writes_nothing_and_is_the_same_again():
    study = study_with([[value] for value in (0.1, 0.2, 0.3, 0.4)])
    before = [(trial.system_attrs, trial.user_attrs) for trial in study.trials]

    assert decisions(study, 1 / 3) == decisions(study, 1 / 3)
    assert [(trial.system_attrs, trial.user_attrs) for trial in study.trials] == before


@pytest.mark.parametrize(("name", "keep"), [("halving", 1 / 3), ("median", 1 / 2)])
def test_pruners_by_name(name, keep):
    assert new_pruner(name).keep == keep


def test_none_prunes_nothing():
    study = study_with([[value] for value in (0.1, 0.2, 0.3, 0.4)])

    assert not any(new_pruner("none").prune(study, trial) for trial in study.trials)


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, []), (2, [1]), (3, [1]), (5, [1, 2]), (9, [1, 3]), (27, [3, 9]), (40, [5, 14])]
)
def test_rungs_are_fractions_of_a_trials_own_epochs(epochs, expected):
    assert list(new_pruner("halving", 1).rungs(epochs)) == expected
