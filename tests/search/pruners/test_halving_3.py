"""Which trials may go on from a rung, now or once more have come there: by values alone."""

import random
from fractions import Fraction

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from sweep.search.pruners.halving_3 import SHARES, Entrant, PausingHalving


def entrants(*values, epochs=27, group=None, start=0):
    """A trial for each list of values, one an epoch."""
    return [
        Entrant(number, epochs, dict(enumerate([each] if isinstance(each, float) else each, 1)), group)
        for number, each in enumerate(values, start)
    ]


def halving(*shares):
    return PausingHalving(tuple(map(Fraction, shares)) or SHARES)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, []), (2, [1]), (3, [1]), (5, [1, 2]), (9, [1, 3]), (10, [1, 2, 4]), (27, [1, 3, 9]), (40, [1, 5, 14])],
)
def test_rungs_come_after_one_epoch_and_parts_of_a_trials_own_epochs(epochs, expected):
    assert list(halving().rungs(epochs)) == expected


@pytest.mark.parametrize(("folds", "expected"), [(2, [1]), (3, [1]), (5, [1, 2]), (10, [1, 4])])
def test_with_folds_rungs_are_folds(folds, expected):
    rule = halving()
    rule.folds = folds

    assert list(rule.rungs(20)) == expected


def test_of_so_many_trials_the_best_share_may_go_on_the_best_first():
    trials = entrants(0.1, 0.4, 0.2, 0.5, 0.3)

    assert halving("1/2", "1/3", "1/3").going_on(trials, trials) == [3, 1]
    assert halving("1/3", "1/3", "1/3").going_on(trials, trials) == [3]


def test_for_a_loss_small_is_good():
    trials = entrants(0.1, 0.4, 0.2, 0.5)

    assert halving().going_on(trials, trials, maximize=False) == [0, 2]


def test_the_first_to_come_waits_for_others_and_goes_on_alone_where_there_will_be_none():
    (trial,) = trials = entrants(0.1)

    assert halving().going_on([trial], trials) == []
    assert halving().going_on([trial], trials, is_last=True) == [0]


def test_where_no_other_will_come_the_best_of_three_goes_on_and_two_both():
    three, two = entrants([0.1] * 9, [0.3] * 9, [0.2] * 9), entrants([0.1] * 9, [0.3] * 9)
    rule = halving("1/2", "1/3", "1/9")

    assert rule.going_on(three, three) == rule.going_on(two, two) == []
    assert rule.going_on(three, three, is_last=True) == [1]
    assert rule.going_on(two, two, is_last=True) == [1, 0]


def test_while_one_may_go_on_by_its_share_no_other_one_is_the_last():
    low, high = entrants(0.9, 0.1), entrants([0.1] * 9, start=2)
    trials = [*low, *high]

    assert halving().going_on([low[0], high[0]], trials, is_last=True) == [0]
    assert halving().going_on(high, trials, is_last=True) == [2]


def test_a_paused_trial_may_go_on_once_enough_worse_ones_have_come():
    paused, *others = trials = entrants(0.3, 0.4, 0.2, 0.1)

    assert halving().going_on([paused], trials[:3]) == []
    assert halving().going_on([paused], [paused, *others]) == [0]


def test_of_equal_trials_the_first_ones_may_go_on():
    trials = entrants(0.5, 0.5, 0.5, 0.5)

    assert halving().going_on(trials, trials) == [0, 1]
    assert halving().going_on(trials[2:], trials) == []


def test_the_highest_rung_comes_first():
    low = entrants(0.9, 0.1)
    high = entrants([0.1, 0.2, 0.3], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1], start=2)
    rule = halving("1", "1/3", "1/3")

    assert rule.going_on([*low, *high], [*low, *high]) == [2, 0, 1]


def test_a_trial_is_compared_with_the_values_that_others_had_at_that_rung():
    later = entrants([0.2, 0.8, 0.9], [0.1, 0.8, 0.9])  # both have gone further
    (trial,) = entrants(0.3, start=2)

    assert halving("1/3", "1/3", "1/3").going_on([trial], [*later, trial]) == [2]


def test_trials_of_other_lengths_are_compared_at_the_same_part_of_their_epochs():
    long, short = entrants([0.1] * 9, epochs=27), entrants([0.3, 0.3], [0.2, 0.2], epochs=5, start=1)
    trials = [*long, *short]  # each after a third of its own

    assert halving().going_on(trials, trials) == [1]


def test_groups_are_compared_each_for_itself():
    pretrained, scratch = entrants(0.9, 0.8, group=True), entrants(0.3, 0.2, group=False, start=2)
    trials = [*pretrained, *scratch]

    assert halving().going_on(trials, trials) == [0, 2]


def test_a_share_of_all_pauses_nobody():
    trials = entrants(*(n / 10 for n in range(10)))

    assert sorted(halving(1, 1, 1).going_on(trials, trials)) == list(range(10))


def test_a_decision_on_a_study_that_grew_is_that_of_one_who_reads_all_of_it_anew():
    rng, study, rule = random.Random(0), optuna.create_study(direction="maximize"), halving()
    for number in range(40):
        config = {"epochs": rng.choice([1, 5, 12, 27]), "pretrained": rng.random() < 0.5}
        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"config": config}))
        for each in rng.choices(range(number + 1), k=3):
            trial = study.get_trials(deepcopy=False)[each]
            if len(trial.intermediate_values) < trial.user_attrs["config"]["epochs"]:
                step = len(trial.intermediate_values) + 1
                optuna.Trial(study, trial._trial_id).report(rng.randrange(4) / 10, step)
        trials = study.get_trials(deepcopy=False)
        waiting = [each for each in trials if each.last_step in rule.rungs(each.user_attrs["config"]["epochs"])]
        for is_last in (False, True):
            assert rule.promoted(study, waiting, is_last) == halving().promoted(study, waiting, is_last)
