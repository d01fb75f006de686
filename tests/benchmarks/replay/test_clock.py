"""A policy searches by the values it may see, workers do one thing at a time, and seconds add up."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.replay.clock import START_SECONDS, search
from benchmarks.replay.contract import Limit, New, Resume
from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import NAMES, Task, policy_kind
from benchmarks.replay.rules.no_stopping import NoStopping
from benchmarks.replay.worlds import rows
from tests.benchmarks.replay.tables import SPACE, synthetic_table, with_scoring_half_changed

TABLE = synthetic_table(diverged=5)
WORLDS = rows.new(TABLE)
WITHOUT_SAMPLER = ["random", "one_epoch", "old_rungs", "promotion"]


FORTY = Limit(trials=40)


def replayed(name, world, workers=4, limit=FORTY):
    return search(policy_kind(name).new(Task(0, SPACE, ("default", 2), SPACE, limit)), world, workers, limit)


def decisions(log):
    return [(stint.number, stint.first, stint.epochs, stint.ended) for stint in log.stints]


class BlindedWorld:
    """Another one in which only what judges trials differs."""

    def __init__(self, world):
        self._world, self.size = world, world.size

    def training(self, number, config):
        return with_scoring_half_changed(self._world.training(number, config))


@pytest.mark.parametrize("name", WITHOUT_SAMPLER)
class TestPolicies:
    def test_what_judges_the_trials_decides_nothing(self, name):
        world = WORLDS(0, 0)

        assert decisions(replayed(name, BlindedWorld(world))) == decisions(replayed(name, world))

    def test_an_equal_policy_draws_and_does_the_same(self, name):
        assert decisions(replayed(name, WORLDS(1, 0))) == decisions(replayed(name, WORLDS(1, 0)))

    @pytest.mark.parametrize("workers", [1, 2, 16])
    def test_a_worker_does_one_thing_at_a_time_and_a_trial_is_on_one_worker(self, name, workers):
        log = replayed(name, WORLDS(2, 1), workers)

        for of in ("worker", "number"):
            for each in {getattr(stint, of) for stint in log.stints}:
                stints = [stint for stint in log.stints if getattr(stint, of) == each]
                assert all(before.ended <= after.began for before, after in pairwise(stints))
        assert {stint.worker for stint in log.stints} == set(range(workers))

    def test_no_epoch_is_trained_twice_and_none_is_left_out(self, name):
        log = replayed(name, WORLDS(3, 0))

        for number in range(len(log.trainings)):
            stints = [stint for stint in log.stints if stint.number == number]
            assert [stint.first for stint in stints] == [0, *(stint.epochs for stint in stints[:-1])]

    def test_it_begins_as_many_trials_as_it_may(self, name):
        assert len(replayed(name, WORLDS(4, 0)).trainings) == 40

    def test_it_ends_when_nothing_is_left_to_draw(self, name):
        assert len(replayed(name, WORLDS(4, 0), limit=Limit()).trainings) == WORLDS(4, 0).size

    def test_the_seconds_of_the_limit_end_it(self, name):
        limit = Limit(seconds=100)

        log = replayed(name, WORLDS(5, 0), 2, limit)

        assert log.ended == 100
        assert 190 < log.compute <= 200 + 1e-9


def test_the_seconds_of_a_search_with_one_worker_are_those_of_its_trials():
    log = replayed("random", WORLDS(0, 0), workers=1)

    trials = sum(training.seconds.sum() for training in log.trainings)
    assert log.ended == pytest.approx(trials + 40 * START_SECONDS)
    assert log.compute == pytest.approx(log.ended)


def test_a_trial_whose_next_epoch_diverges_has_taken_the_seconds_of_that_epoch():
    class Recorder(NoStopping):
        def ended(self, number, values, has_diverged):
            diverged[number] = (len(values), has_diverged)

    diverged = {}
    log = search(Recorder(CommonDraws()), WORLDS(0, 0), 1, Limit())

    broken = [number for number, training in enumerate(log.trainings) if training.has_diverged]
    assert len(broken) == 5
    assert all(diverged[number] == (len(log.trainings[number].seen), True) for number in broken)
    stints = {stint.number: stint for stint in log.stints}
    assert all(len(stints[number].ends) == len(log.trainings[number].seen) + 1 for number in broken)


def test_all_policies_get_the_same_configs_in_the_same_order():
    orders = [[training.config for training in replayed(name, WORLDS(6, 0)).trainings] for name in WITHOUT_SAMPLER]

    assert all(order == orders[0] for order in orders)


def test_the_other_seed_has_another_order_and_the_other_half_has_the_same_one():
    configs = [
        [WORLDS(*each).training(number, None).config for number in range(20)] for each in ((0, 0), (0, 1), (1, 0))
    ]

    assert configs[0] == configs[1] != configs[2]


def test_the_halves_swap_what_is_seen_and_what_is_scored():
    one, other = WORLDS(0, 0).training(3, None), WORLDS(0, 1).training(3, None)

    assert np.array_equal(one.seen, other.scored)
    assert np.array_equal(one.scored, other.seen)


def test_a_policy_that_sends_a_trial_back_is_refused():
    class Backwards(NoStopping):
        def next(self, now, may_draw):
            return Resume(0, 1) if now else New()

    with pytest.raises(ValueError, match="cannot go on up to 1"):
        search(Backwards(CommonDraws()), WORLDS(0, 0), 1, Limit())


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_has_the_name_of_its_file(name):
    assert policy_kind(name).name == name
