"""Trials that are paused at their rungs, with real files: what they hold, what goes on from it, and what ends."""

import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from sweep.analysis.record import Record
from sweep.analysis.report.contents import progress
from sweep.search.pruners import halving_3
from sweep.search.runtime.ledger import Ledger
from sweep.storage.paths import attempts, checkpoints, trial_folder
from sweep.storage.states import Stop
from sweep.storage.sweep_file import QueueEntry
from sweep.trainable.config import TrialConfig
from sweep.trainable.worker.attempt import Attempt
from tests.trials import execute, fake_space, fake_train, in_memory, open_bridge, outcome

DATA = in_memory(9, 9)
TRIALS = 8


def pausing(folder, trials=TRIALS, **plan):
    return open_bridge(folder, trials, pruner_number=3, **plan)


def configs(*rates, epochs=9):
    return {n: QueueEntry({"lr": rate, "epochs": epochs, "batch_size": 8}) for n, rate in enumerate(rates)}


def report_once(bridge, order):
    return bridge.report(order.number, Attempt(order, DATA, train=fake_train).next_report())


def test_a_paused_trial_is_running_in_the_ledger_holds_no_worker_and_keeps_its_checkpoint(tmp_path):
    bridge, _ = pausing(tmp_path)
    bridge.concurrency = 1
    order = bridge.next_order()

    assert report_once(bridge, order) is True

    (trial,) = Record(tmp_path).trials
    assert (trial.state, trial.is_paused, trial.epochs) == ("RUNNING", True, 1)
    assert bridge.running == {}
    assert bridge.next_order().number == 1
    assert len(checkpoints(trial_folder(tmp_path, 0) / "attempt-1")) == 1
    assert progress(Record(tmp_path)).startswith("running, 0 of 8 trials ended, 1 RUNNING, 1 paused")


def test_it_goes_on_from_its_checkpoint_once_it_is_among_the_best_and_that_is_no_lost_attempt(tmp_path):
    bridge, watcher = pausing(tmp_path, 3, queue=configs(0.1, 0.001, 0.001), attempts=1)
    execute(bridge, DATA)

    first, second, _ = Record(tmp_path).trials
    assert [number for number, _ in watcher.ordered[:3]] == [0, 1, 0]  # the second one came, and was worse
    assert (first.state, first.epochs) == ("COMPLETE", 9)
    assert [epoch["epoch"] for epoch in first.history] == list(range(1, 10))
    assert (second.state, second.epochs, second.reason) == ("PRUNED", 1, "not among the best at its rung")
    assert "losses" not in bridge.ledger.trial(0).user_attrs
    assert len(second.valid_classes) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_so_few_trials_that_there_is_nothing_to_be_worse_than_come_to_their_end(count, tmp_path):
    bridge, _ = pausing(tmp_path, count, queue=configs(0.1, 0.001))
    execute(bridge, DATA)

    assert [trial.state for trial in Record(tmp_path).trials] == ["COMPLETE"] * count


def test_when_nothing_can_change_any_more_the_paused_ones_end_as_pruned_and_leave_no_attempts(tmp_path):
    bridge, _ = pausing(tmp_path)
    execute(bridge, DATA, workers=2)

    trials = Record(tmp_path).trials
    assert {trial.state for trial in trials} == {"COMPLETE", "PRUNED", "FAIL"}
    assert not any(attempts(trial.folder) for trial in trials)
    for trial in trials:
        if trial.state == "PRUNED":
            assert trial.epochs in bridge.ledger.rungs(trial.config["epochs"])
            assert len(trial.history) == len(trial.valid_classes) == trial.epochs


def test_a_sweep_that_is_stopped_leaves_them_paused_and_the_same_command_ends_as_if_it_had_not_been(tmp_path):
    bridge, _ = pausing(tmp_path / "undisturbed")
    execute(bridge, DATA)

    for _ in range(3):
        bridge, _ = pausing(tmp_path / "stopped")
        order = bridge.next_order()
        report_once(bridge, order)
        bridge.stop(Stop.SIGNAL, "SIGINT")
        assert bridge.next_order() is None
        assert bridge.finished
    paused = bridge.ledger.paused
    assert paused
    assert all(Record(tmp_path / "stopped").trials[number].state == "RUNNING" for number in paused)
    bridge, _ = pausing(tmp_path / "stopped")
    execute(bridge, DATA)

    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "undisturbed")


def test_a_baseline_is_never_paused(tmp_path):
    queue = {n: QueueEntry(entry.params, f"published {n}") for n, entry in configs(0.001, 0.001).items()}
    bridge, watcher = pausing(tmp_path, 2, queue=queue)
    execute(bridge, DATA)

    assert watcher.ordered == [(0, 1), (1, 1)]
    assert {trial.state for trial in Record(tmp_path).trials} == {"COMPLETE"}


def test_the_sampler_sees_a_paused_trial_as_one_that_ended_at_its_rung_until_it_goes_on(tmp_path):
    seen = []

    class Looks(RandomSampler):
        def infer_relative_search_space(self, study, trial):
            seen.append([(each.state, each.value) for each in study.get_trials(deepcopy=False)[:1]])
            return {}

    def draw(number):
        config = ledger.draw(Looks(), fake_space, {"epochs": 9})
        assert ledger.add({"config": config.to_dict(), "attempt": 1}) == number

    ledger = Ledger(tmp_path, "a" * 32, "accuracy", halving_3.new())
    draw(0)
    ledger.report(0, {1: 0.5})
    draw(1)
    ledger.let_on(0)
    draw(2)
    ledger = Ledger(tmp_path, "a" * 32, "accuracy", halving_3.new())
    ledger.report(0, {2: 0.5, 3: 0.6})
    draw(3)

    assert seen[1:] == [
        [(TrialState.PRUNED, 0.5)],
        [(TrialState.RUNNING, None)],
        [(TrialState.PRUNED, 0.6)],
    ]
    assert ledger.trial(0).state == TrialState.RUNNING


def test_a_budget_of_epochs_draws_as_many_trials_as_fit_interrupted_or_not(tmp_path):
    for name in ("at once", "often"):
        bridge, _ = pausing(tmp_path / name, 1000, budget_epochs=40)
        while name == "often" and len(bridge.ledger.trials) < 5:
            report_once(bridge, bridge.next_order())
            bridge, _ = pausing(tmp_path / name, 1000, budget_epochs=40)
        execute(bridge, DATA)

    assert outcome(tmp_path / "at once") == outcome(tmp_path / "often")
    record = Record(tmp_path / "at once")
    assert 40 <= record.epochs <= 40 + 12  # of a trial that was let on at last
    assert "RUNNING" not in {trial.state for trial in record.trials}
    assert 8 < len(record.trials) < 40


def test_with_a_number_of_trials_as_well_whichever_comes_first_ends_the_draws(tmp_path):
    for trials, budget in ((3, 1000), (1000, 1)):
        bridge, _ = pausing(tmp_path / f"{trials}", trials, budget_epochs=budget, queue=configs(0.1, 0.1, 0.1))
        execute(bridge, DATA)

    assert len(Record(tmp_path / "3").trials) == 3
    assert len(Record(tmp_path / "1000").trials) == 1


def test_of_trials_that_run_the_epochs_to_their_next_rung_are_in_the_budget(tmp_path):
    bridge, _ = pausing(tmp_path, 1000, budget_epochs=2, queue=configs(0.1, 0.1, 0.1))

    assert [bridge.next_order().number for _ in range(2)] == [0, 1]
    assert bridge.next_order() is None
    assert bridge.has_more


def test_a_config_of_one_epoch_has_no_rung_and_counts_one_epoch(tmp_path):
    whole = TrialConfig(arch="mlp", width=0.1, lr=0.1, epochs=1, batch_size=8).to_dict()
    bridge, _ = pausing(tmp_path, 2, queue={n: QueueEntry({}, "", whole) for n in range(2)})
    execute(bridge, DATA)

    assert {trial.state for trial in Record(tmp_path).trials} == {"COMPLETE"}
    assert bridge.ledger.epochs == 2
