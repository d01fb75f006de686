"""What is replayed is what a sweep does: the same pruners, asked at the same steps, with the same values."""

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from benchmarks.replay.clock import search
from benchmarks.replay.contract import Limit
from benchmarks.replay.draws import CommonDraws
from benchmarks.replay.policies import Task, policy_kind
from benchmarks.replay.rules.promoting import Promoting
from benchmarks.replay.rules.stopping import Stopping
from benchmarks.replay.worlds import rows
from sweep.search.pruners import halving_1, halving_3
from tests.benchmarks.replay.tables import SPACE, synthetic_table

WORLDS = rows.new(synthetic_table())
SIXTY = Limit(trials=60)


def stints_in_order_of_their_ends(log):
    return sorted(log.stints, key=lambda stint: (stint.ended, stint.worker))


@pytest.mark.parametrize("seed", range(3))
def test_the_old_rungs_stop_the_trials_that_their_pruner_stops_in_a_study(seed):
    log = search(policy_kind("old_rungs").new(Task(0, SPACE, ("default", 2), SPACE, SIXTY)), WORLDS(seed, 0), 4, SIXTY)
    study, pruner = optuna.create_study(direction="maximize"), halving_1.new()
    for training in log.trainings:
        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"config": training.config}))
    ids = [trial._trial_id for trial in study.get_trials()]

    stopped = []
    for stint in stints_in_order_of_their_ends(log):
        best = np.maximum.accumulate(log.trainings[stint.number].seen)
        for epoch in range(stint.first, stint.epochs):
            optuna.Trial(study, ids[stint.number]).report(best[epoch], epoch + 1)
        if pruner.prune(study, study.get_trials()[stint.number]):
            stopped.append(stint.number)

    ended_early = [number for number, training in enumerate(log.trainings) if log.epochs[number] < training.epochs]
    assert sorted(stopped) == ended_early
    assert 30 < len(stopped) < 55


def test_of_the_trials_at_a_rung_the_best_share_has_gone_on_at_the_end():
    rule = halving_3.PausingHalving()
    log = search(Promoting(rule, CommonDraws()), WORLDS(0, 0), 4, SIXTY)

    first = {number: training.seen[0] for number, training in enumerate(log.trainings) if rule.rungs(training.epochs)}
    best = sorted(first, key=lambda number: (-first[number], number))[: int(rule.shares[0] * len(first))]
    assert all(log.epochs[number] > 1 for number in best)
    assert sum(log.epochs[number] == 1 for number in first) > len(first) / 3


def test_a_trial_that_waits_leaves_its_worker_to_another_and_comes_back():
    log = search(Promoting(halving_3.PausingHalving(), CommonDraws()), WORLDS(0, 0), 1, SIXTY)

    numbers = [stint.number for stint in log.stints]
    came_back = [n for n in set(numbers) if numbers.index(n) + numbers.count(n) <= max(
        place for place, number in enumerate(numbers) if number == n
    )]  # fmt: skip
    assert came_back


def test_one_worker_that_never_waits_stops_as_many_as_four():
    logs = [search(Stopping(halving_1.new(), CommonDraws()), WORLDS(1, 0), workers, SIXTY) for workers in (1, 4)]

    whole = [sum(done == t.epochs for done, t in zip(log.epochs, log.trainings, strict=True)) for log in logs]
    assert abs(whole[0] - whole[1]) < 10
