"""What is in hand, and how far it is from the best, is as can be counted by hand."""

import numpy as np
import pytest

from benchmarks.replay.clock import Log, Stint, search
from benchmarks.replay.contract import Limit, Training
from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.figures import chosen_values, interval, mean_interval, mean_ranks, time_to_reach, worst_tenth
from benchmarks.replay.rules.no_stopping import NoStopping
from benchmarks.replay.worlds import rows
from tests.benchmarks.replay.tables import synthetic_table


def training(seen, scored):
    return Training({"epochs": len(seen)}, np.array(seen), np.array(scored), np.ones(len(seen)))


def test_in_hand_is_the_best_epoch_seen_so_far_and_its_value_on_the_other_half():
    log = Log(Limit(), [training([0.2, 0.6, 0.5], [0.1, 0.2, 0.3]), training([0.6, 0.7], [0.9, 0.4])])
    log.stints = [Stint(0, 0, 0.0, 0, np.array([1.0, 3.0, 5.0])), Stint(1, 1, 0.0, 0, np.array([4.0, 6.0]))]

    found = chosen_values(log, np.array([0.5, 1, 2, 3, 4, 5, 6, 9]), blind=0.05)

    assert found.tolist() == [0.05, 0.1, 0.1, 0.2, 0.2, 0.2, 0.4, 0.4]  # 0.6 again is no reason to change


def test_an_epoch_that_diverged_has_no_value():
    diverged = Training({"epochs": 3}, np.array([0.5]), np.array([0.4]), np.ones(2))
    log = Log(Limit(), [diverged], [Stint(0, 0, 0.0, 0, np.array([1.0, 2.0]))])

    assert chosen_values(log, np.array([0.0, 1.5, 9.0]), blind=0.1).tolist() == [0.1, 0.4, 0.4]


def test_a_policy_that_knows_the_best_config_has_no_regret():
    world = rows.new(synthetic_table(images=2_000))(0, 0)
    best = max(range(world.size), key=lambda number: world.training(number, None).scored[-1])

    class OnlyTheBest:
        size = 1

        def training(self, number, config):
            of_best = world.training(best, None)  # what is seen is what is scored: it chooses the right epoch as well
            return Training(of_best.config, of_best.scored, of_best.scored, of_best.seconds)

    log = search(NoStopping(CommonDraws()), OnlyTheBest(), 1, Limit())

    assert chosen_values(log, np.array([np.inf]), world.blind)[0] >= world.best


def test_a_time_is_the_first_at_which_the_goal_is_reached():
    times, values = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2])

    assert time_to_reach(times, values, 0.2) == 2.0
    assert time_to_reach(times, values, 0.4) == np.inf


def test_equal_values_share_their_ranks():
    values = np.array([[0.9, 0.5], [0.9, 0.6], [0.1, 0.7]])

    assert mean_ranks(values).tolist() == pytest.approx([(1.5 + 3) / 2, (1.5 + 2) / 2, (3 + 1) / 2])


def test_a_tenth_of_the_replays_is_below_the_worst_tenth():
    assert worst_tenth(np.arange(101) / 100) == pytest.approx(0.1)


def test_the_interval_of_a_mean_is_as_wide_as_theory_has_it():
    values = np.random.default_rng(0).normal(size=400)

    found = interval(lambda seeds: values[seeds].mean(), 400)

    assert found.found == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_the_interval_of_a_mean_is_the_same_however_it_is_computed():
    values = np.random.default_rng(0).normal(size=30)

    slow, fast = interval(lambda seeds: values[seeds].mean(), 30), mean_interval(values)

    assert (fast.found, fast.low, fast.high) == pytest.approx((slow.found, slow.low, slow.high))


def test_an_interval_holds_what_is_never_reached():
    found = interval(lambda seeds: np.inf if seeds[0] % 2 else 1.0, 10)

    assert (found.low, found.high) == (1.0, np.inf)
