"""Policies with samplers see what a search would see, and equal ones draw equal configs."""

import numpy as np
import pytest

from benchmarks.replay import policies
from benchmarks.replay.clock import search
from benchmarks.replay.contract import Limit
from benchmarks.replay.policies import Task, policy_kind
from benchmarks.replay.spaces import old_space_of, space_of
from benchmarks.replay.worlds import world_kind
from sweep.search.spaces import suggest_of
from sweep.search.spaces.space import Space
from tests.benchmarks.replay.tables import synthetic_table, with_scoring_half_changed

TABLE = synthetic_table(diverged=5)
SPACE, OLD_SPACE = space_of(TABLE.about), old_space_of(TABLE.about)
WITH_SAMPLER = [name for name in policies.NAMES if policy_kind(name).draws_configs]
LIMIT = Limit(trials=14)  # the samplers' first ten draws are random


class BlindedWorld:
    """Another one in which only what judges trials differs."""

    def __init__(self, world):
        self._world, self.size = world, world.size

    def training(self, number, config):
        return with_scoring_half_changed(self._world.training(number, config))


def replayed(name, world, limit=LIMIT):
    return search(policy_kind(name).new(Task(3, SPACE, ("default", 2), OLD_SPACE, limit)), world, 2, limit)


def what_happened(log):
    return [(log.trainings[stint.number].config, stint.epochs, stint.ended) for stint in log.stints]


@pytest.fixture(scope="module")
def worlds():
    return world_kind("nearest").new(TABLE)


@pytest.mark.parametrize("name", WITH_SAMPLER)
def test_an_equal_search_draws_the_same_whatever_judges_its_trials(name, worlds):
    assert what_happened(replayed(name, BlindedWorld(worlds(0, 0)))) == what_happened(replayed(name, worlds(0, 0)))


@pytest.mark.parametrize("name", WITH_SAMPLER)
def test_what_is_seen_changes_what_is_drawn(name, worlds):
    one, other = (replayed(name, worlds(0, half)) for half in (0, 1))

    assert what_happened(one) != what_happened(other)
    assert len(one.trainings) == len(other.trainings) == 14
    assert all(1 <= epochs <= training.epochs for epochs, training in zip(one.epochs, one.trainings, strict=True))


def test_the_rivals_stop_most_trials_before_their_end(worlds):
    for name in ("ray_tune", "optuna_hyperband"):
        log = replayed(name, worlds(0, 0))
        ended = [done for done, training in zip(log.epochs, log.trainings, strict=True) if done == training.epochs]
        assert 0 < len(ended) < 10


def test_ray_is_told_of_a_stopped_trial_as_complete_with_its_last_value(worlds):
    policy = policy_kind("ray_tune").new(Task(0, SPACE, ("default", 2), OLD_SPACE, LIMIT))
    log = search(policy, worlds(0, 0), 2, LIMIT)

    for trial in policy._searcher._ot_study.get_trials():
        training, done = log.trainings[trial.number], log.epochs[trial.number]
        if done <= len(training.seen):
            assert trial.state.name == "COMPLETE"
            assert trial.value == training.seen[done - 1]
        else:
            assert trial.state.name == "FAIL"


def test_a_search_of_this_project_has_in_its_ledger_what_became_of_its_trials(worlds):
    task = Task(0, SPACE, ("default", 2), OLD_SPACE, LIMIT)
    policy = policy_kind("stopping_search").new(task)
    log = search(policy, worlds(0, 0), 2, LIMIT)

    trials = policy._draws._ledger.trials
    assert [trial.user_attrs["config"] for trial in trials] == [training.config for training in log.trainings]
    for trial, training, done in zip(trials, log.trainings, log.epochs, strict=True):
        best = np.maximum.accumulate(training.seen[:done])
        assert list(trial.intermediate_values.values()) == pytest.approx(best.tolist())
        is_whole = done == training.epochs
        assert trial.state.name == ("COMPLETE" if is_whole else "PRUNED")
    assert [name for name in ("baseline",) if name in trials[0].user_attrs]  # a reference config comes first


def test_trials_that_wait_are_running_in_the_ledger_and_pruned_for_the_sampler(worlds):
    policy = policy_kind("promoting_search").new(Task(0, SPACE, ("default", 2), OLD_SPACE, LIMIT))
    search(policy, worlds(0, 0), 2, LIMIT)

    ledger = policy._draws._ledger
    states = [trial.state.name for trial in ledger.trials]
    assert [number for number, state in enumerate(states) if state == "RUNNING"] == sorted(policy._paused)
    assert {ledger.shown[number].state.name for number in policy._paused} == {"PRUNED"}


LITE0 = "timm/tf_efficientnet_lite0"
OTHER_SPACES = {"heads": {}, "tiny": {"arch": LITE0}}  # with what is fixed of them


@pytest.mark.parametrize("space", OTHER_SPACES)
@pytest.mark.parametrize("name", WITH_SAMPLER)
def test_a_table_of_another_space_is_searched_as_well(space, name):
    fixed = OTHER_SPACES[space]
    recorded = Space(suggest_of(space, 1, (LITE0,)), fixed, 40)
    table = synthetic_table(30, space=recorded, name=(space, 1), fixed=fixed, backbones=(LITE0,))
    task = Task(0, space_of(table.about), (space, 1), old_space_of(table.about), LIMIT)

    log = search(policy_kind(name).new(task), world_kind("nearest").new(table)(0, 0), 2, LIMIT)

    assert len(log.trainings) == 14
    assert all(training.config["arch"] == fixed.get("arch", training.config["arch"]) for training in log.trainings)
