"""The state machine of a sweep, with a fake executor and real files."""

import json
from dataclasses import replace

import albumentations as A
import pytest
from optuna.trial import TrialState

from sweep.analysis.outputs.tables import trials_table
from sweep.analysis.record import Record
from sweep.datasets.augment.pipeline import to_text
from sweep.search.runtime import trial_files
from sweep.search.runtime.draws import trial_seed
from sweep.search.runtime.trial_files import Ranked, with_weights
from sweep.storage import files
from sweep.storage.paths import attempt_folder, checkpoints, trial_folder
from sweep.storage.states import Stop
from sweep.storage.sweep_file import QueueEntry
from sweep.trainable.config import ConfigError
from sweep.trainable.features import Prepared
from sweep.trainable.loop import Diverged
from sweep.trainable.saving import save
from sweep.trainable.worker.attempt import Attempt
from sweep.trainable.worker.order import KEPT_CHECKPOINTS, Order
from sweep.trainable.worker.report import Report
from tests.trials import execute, fake_space, fake_train, in_memory, open_bridge, outcome

DATA = in_memory()
TRIALS = 12


@pytest.fixture
def undisturbed(tmp_path):
    bridge, _ = open_bridge(tmp_path / "undisturbed", TRIALS)
    execute(bridge, DATA)
    return outcome(tmp_path / "undisturbed")


def test_a_sweep_ends_with_every_trial_told_once(tmp_path):
    bridge, watcher = open_bridge(tmp_path, TRIALS)

    execute(bridge, DATA, workers=2)

    states = [trial.state for trial in Record(tmp_path).trials]
    assert len(states) == TRIALS
    assert set(states) == {"COMPLETE", "PRUNED", "FAIL"}  # the fake space has all three
    assert [number for number, _ in watcher.ordered] == list(range(TRIALS))


def test_how_far_a_trial_is_before_its_first_epoch_is_told_and_written_nowhere(tmp_path):
    bridge, watcher = open_bridge(tmp_path, 1)
    order = bridge.next_order()
    watcher.prepared = lambda number, how_far: watcher.announced(f"{number} {how_far}")
    report = Report(order.attempt, [], prepared=Prepared("features", 8, 20))

    stops = bridge.report(order.number, Report.from_json(json.loads(report.to_json())))

    assert not stops
    assert watcher.messages == ["0 computing features: 8 of 20"]
    assert bridge.ledger.trial(0).intermediate_values == {}


def test_a_note_on_how_trials_are_trained_is_kept_with_each_and_told_once(tmp_path):
    bridge, watcher = open_bridge(tmp_path, 3)
    orders = [bridge.next_order() for _ in range(3)]
    for order, note in zip(orders, ("no graph", "", "no graph"), strict=True):
        bridge.report(order.number, Report.from_json(json.loads(Report(order.attempt, [], note=note).to_json())))

    assert [trial.note for trial in Record(tmp_path).trials] == ["no graph", "", "no graph"]
    assert watcher.messages == ["trial 0: no graph"]

    bridge.report(0, Report(orders[0].attempt, []))  # it goes on on a machine that can

    assert Record(tmp_path).trials[0].note == ""


def test_a_value_is_the_best_so_far_and_its_epoch_the_first_with_it(tmp_path):
    bridge, _ = open_bridge(tmp_path, 4, pruner="none")
    execute(bridge, DATA)

    for trial in Record(tmp_path).trials:
        if trial.state == "COMPLETE":
            values = [epoch["valid_accuracy"] for epoch in trial.history]
            assert trial.value == max(values)
            assert trial.best_epoch == 1 + values.index(max(values))
            assert trial.epochs == trial.config["epochs"] == len(trial.valid_classes)


def test_several_epochs_in_one_report_prune_as_one_at_a_time_would(tmp_path, monkeypatch):
    outcomes = []
    for name, seconds in (("singly", 0.0), ("together", 1e9)):
        monkeypatch.setattr("sweep.trainable.worker.attempt.REPORT_SECONDS", seconds)
        if name == "together":
            monkeypatch.setattr(
                "sweep.search.runtime.bridge.Order", lambda *words: Order(*words[:5], rungs=())
            )  # one report a trial
        bridge, _ = open_bridge(tmp_path / name, TRIALS)
        execute(bridge, DATA)
        outcomes.append([(t.number, t.state, t.epochs, t.value) for t in Record(tmp_path / name).trials])

    assert outcomes[0] == outcomes[1]
    assert "PRUNED" in {state for _, state, _, _ in outcomes[0]}


def test_a_pruned_trial_keeps_its_value_and_the_predictions_up_to_its_rung(tmp_path):
    bridge, _ = open_bridge(tmp_path, TRIALS)
    execute(bridge, DATA)

    pruned = [trial for trial in Record(tmp_path).trials if trial.state == "PRUNED"]
    assert pruned
    for trial in pruned:
        assert trial.epochs in bridge.ledger.rungs(trial.config["epochs"])
        assert len(trial.history) == len(trial.valid_classes) == trial.epochs
        assert trial.value == max(epoch["valid_accuracy"] for epoch in trial.history)
        assert trial.weights is None


def test_a_trial_that_diverges_is_a_fail_with_its_reason_and_never_ranked(tmp_path):
    bridge, _ = open_bridge(tmp_path, TRIALS)
    execute(bridge, DATA)

    record = Record(tmp_path)
    failed = [trial for trial in record.trials if trial.state == "FAIL"]
    assert failed
    assert {trial.reason for trial in failed} == {"diverged"}
    assert all(trial.config["lr"] > 0.5 for trial in failed)
    assert not set(t.number for t in failed) & set(t.number for t in record.ranked)


def test_the_sampler_avoids_where_trials_diverge(tmp_path):
    bridge, _ = open_bridge(tmp_path, 40, max_failures=40)
    execute(bridge, DATA)

    rates = [trial.config["lr"] for trial in Record(tmp_path).trials]
    assert sum(rate > 0.5 for rate in rates[:10]) >= 1
    assert sum(rate > 0.5 for rate in rates[20:]) == 0


def test_a_lost_worker_costs_one_attempt_and_no_epoch(tmp_path):
    bridge, watcher = open_bridge(tmp_path, 1, pruner="none")
    order = bridge.next_order()
    first = Attempt(order, DATA, train=fake_train)
    bridge.report(0, first.next_report())

    bridge.lost(0, 1, "killed")
    second = Attempt(bridge.next_order(), DATA, train=fake_train)
    history = second.next_report().history

    assert watcher.ordered == [(0, 1), (0, 2)]
    assert history[: len(first.state.history)] == first.state.history
    assert len(history) > len(first.state.history)


def test_a_trial_that_is_interrupted_again_and_again_keeps_few_checkpoints(tmp_path):
    queue = {0: QueueEntry({"lr": 0.1, "epochs": 12, "batch_size": 8})}

    for _ in range(6):  # each driver is gone after an epoch
        bridge, _ = open_bridge(tmp_path, 1, pruner="none", queue=queue)
        attempt = Attempt(bridge.next_order(), DATA)
        state = attempt._starting_state(DATA)
        next(fake_train(attempt.order.config, DATA, state))
        save(state, attempt.order.config, attempt.folder)

    assert len(list(tmp_path.glob("trials/0000/attempt-*/checkpoint-*"))) == KEPT_CHECKPOINTS + 1


def test_a_report_of_an_older_attempt_is_ignored(tmp_path):
    bridge, _ = open_bridge(tmp_path, 1, pruner="none")
    late = Attempt(bridge.next_order(), DATA, train=fake_train)
    bridge.lost(0, 1, "killed")
    bridge.next_order()
    while not (report := late.next_report()).done:
        pass

    assert bridge.report(0, report) is True
    assert Record(tmp_path).trials[0].state == "RUNNING"
    assert bridge.running == {0: 2}


def test_a_trial_that_runs_out_of_host_memory_is_tried_once_more_with_nothing_beside_it(tmp_path):
    failed = []

    def short_of_memory_once(config, data, state):
        if config.seed == trial_seed(7, 1) and not failed:
            failed.append(1)
            raise MemoryError
        yield from fake_train(config, data, state)

    bridge, watcher = open_bridge(tmp_path, 6, pruner="none")
    beside = []
    started = watcher.started
    watcher.started = lambda order: (
        beside.append((order.number, order.attempt, len(bridge.running) - 1)),
        started(order),
    )
    execute(bridge, DATA, workers=3, train=short_of_memory_once)

    trial = Record(tmp_path).trials[1]
    assert (trial.state, trial.attempts) == ("COMPLETE", 2)
    assert (1, 2, 0) in beside
    assert max(count for _, _, count in beside) == 2
    assert "out of memory in attempt 1, tried once more alone" in watcher.messages[0]


def test_a_trial_that_is_too_large_alone_as_well_is_a_fail_that_the_sampler_learns(tmp_path):
    def too_large(config, data, state):
        raise MemoryError
        yield

    bridge, watcher = open_bridge(tmp_path, 1)
    execute(bridge, DATA, train=too_large)

    trial = Record(tmp_path).trials[0]
    assert (trial.state, trial.reason) == ("FAIL", "out of memory")
    assert "alone on its node as well" in trial.message
    assert "peak of this process" in trial.message
    assert watcher.ordered == [(0, 1), (0, 2)]
    assert bridge.ledger.trial(0).constraints == {"trainable": 1.0}


def test_a_trial_that_makes_no_progress_is_a_fail_with_where_it_stood(tmp_path):
    bridge, watcher = open_bridge(tmp_path, 1, attempts=2)
    for _ in range(2):
        order = bridge.next_order()
        attempt_folder(order.folder, order.attempt).mkdir()
        (attempt_folder(order.folder, order.attempt) / "hung.txt").write_text('File "loader.py", line 7 in wait')
        bridge.lost(0, order.attempt, "the worker died")

    trial = Record(tmp_path).trials[0]
    assert (trial.state, trial.reason) == ("FAIL", "no progress")
    assert "loader.py" in (trial.folder / "log.txt").read_text()
    assert "no progress in attempt 1" in watcher.messages[0]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"attempt": 1}', b"[" * 100_000, b"\x80\x04."])
def test_a_damaged_result_is_none_and_the_trial_goes_on_from_its_checkpoint(tmp_path, content):
    bridge, _ = open_bridge(tmp_path, 1, pruner="none")
    attempt = Attempt(bridge.next_order(), DATA, train=fake_train)
    while not attempt.next_report().done:
        pass
    (attempt.folder / "result.json").write_bytes(content)

    bridge, watcher = open_bridge(tmp_path, 1, pruner="none")
    execute(bridge, DATA)

    assert Record(tmp_path).trials[0].state == "COMPLETE"
    assert watcher.ordered == [(0, 2)]


def test_a_running_trial_shows_nothing_of_an_end_that_never_was(tmp_path, monkeypatch):
    bridge, _ = open_bridge(tmp_path, 1, attempts=1, pruner="none")
    Attempt(bridge.next_order(), DATA, train=fake_train).next_report()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bridge.ledger, "tell", killed)
    with pytest.raises(KeyboardInterrupt):
        bridge.lost(0, 1, "killed")  # its files are kept, and the driver is gone before it tells

    assert (trial_folder(tmp_path, 0) / "history.json").exists()
    assert list(trials_table(Record(tmp_path)).state) == ["RUNNING"]
    bridge, _ = open_bridge(tmp_path, 1, pruner="none")
    execute(bridge, DATA)
    assert Record(tmp_path).trials[0].state == "COMPLETE"


def test_a_trial_without_attempts_left_is_a_fail_and_the_others_go_on(tmp_path):
    bridge, _ = open_bridge(tmp_path, 2, attempts=2)
    bridge.next_order()
    bridge.lost(0, 1, "killed")
    bridge.next_order()
    bridge.lost(0, 2, "killed")

    execute(bridge, DATA)

    first, second = Record(tmp_path).trials
    assert (first.state, first.reason, first.attempts) == ("FAIL", "worker lost", 2)
    assert second.state in ("COMPLETE", "FAIL", "PRUNED")
    assert second.reason != "worker lost"


def test_failures_in_a_row_stop_the_sweep_and_say_why(tmp_path):
    def broken(config, data, state):
        raise RuntimeError("no such kernel")
        yield

    bridge, _ = open_bridge(tmp_path, TRIALS, max_failures=3)
    execute(bridge, DATA, train=broken)

    record = Record(tmp_path)
    assert [trial.state for trial in record.trials] == ["FAIL"] * 3
    assert record.trials[0].message == "RuntimeError: no such kernel"
    assert "no such kernel" in (trial_folder(tmp_path, 0) / "log.txt").read_text()
    assert bridge.stopping == Stop.FAILURES
    assert "3 trials in a row" in bridge.stopping_words


def test_a_result_whose_checkpoint_is_damaged_is_a_lost_attempt(tmp_path):
    bridge, watcher = open_bridge(tmp_path, 1, pruner="none")
    attempt = Attempt(bridge.next_order(), DATA, train=fake_train)
    while not (report := attempt.next_report()).done:
        bridge.report(0, report)
    for path in checkpoints(attempt.folder):
        path.write_bytes(path.read_bytes()[:100])

    bridge.report(0, report)
    execute(bridge, DATA)

    assert Record(tmp_path).trials[0].state == "COMPLETE"
    assert watcher.ordered == [(0, 1), (0, 2)]


def test_a_result_that_was_never_told_is_told_at_the_next_start(tmp_path):
    bridge, _ = open_bridge(tmp_path, 1, pruner="none")
    attempt = Attempt(bridge.next_order(), DATA, train=fake_train)
    while not attempt.next_report().done:
        pass

    bridge, watcher = open_bridge(tmp_path, 1, pruner="none")

    assert Record(tmp_path).trials[0].state == "COMPLETE"
    assert watcher.ordered == []
    assert bridge.finished


def test_a_larger_total_adds_trials_and_touches_none_of_the_old(tmp_path):
    bridge, _ = open_bridge(tmp_path, 6)
    execute(bridge, DATA)
    before = trials_table(Record(tmp_path))

    bridge, watcher = open_bridge(tmp_path, 9)
    execute(bridge, DATA)

    after = trials_table(Record(tmp_path))
    assert len(after) == 9
    assert after.head(6)[before.columns].equals(before)
    assert [number for number, _ in watcher.ordered] == [6, 7, 8]


def test_queued_configs_come_first_and_a_baseline_is_never_pruned(tmp_path):
    poor = {"lr": 1e-3, "epochs": 12, "batch_size": 8}
    queue = {n: QueueEntry(poor, f"published {n}") for n in range(6)}
    bridge, _ = open_bridge(tmp_path, TRIALS, queue=queue)
    execute(bridge, DATA)

    trials = Record(tmp_path).trials
    assert [trial.baseline for trial in trials[:7]] == [*(f"published {n}" for n in range(6)), ""]
    assert {trial.state for trial in trials[:6]} == {"COMPLETE"}
    assert all(trial.params == poor for trial in trials[:6])


def test_stopping_leaves_trials_running_in_the_ledger_and_a_restart_goes_on(tmp_path, undisturbed):
    bridge, _ = open_bridge(tmp_path / "stopped", TRIALS)
    order = bridge.next_order()
    bridge.stop(Stop.SIGNAL, "SIGINT")
    assert bridge.report(0, Attempt(order, DATA, train=fake_train).next_report()) is True
    bridge.released(0, 1)
    assert bridge.finished
    assert bridge.ledger.trial(0).state == TrialState.RUNNING

    bridge, _ = open_bridge(tmp_path / "stopped", TRIALS)
    execute(bridge, DATA)

    assert outcome(tmp_path / "stopped") == undisturbed


def test_weights_stay_with_the_best_trials_only(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_files, "KEPT_WEIGHTS", 2)
    bridge, _ = open_bridge(tmp_path, 8, pruner="none")
    execute(bridge, DATA)

    record = Record(tmp_path)
    with_weights = [trial.number for trial in record.trials if trial.weights]
    assert sorted(with_weights) == sorted(trial.number for trial in record.ranked[:2])


def test_the_best_of_each_kind_of_model_keeps_its_weights_too(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_files, "KEPT_WEIGHTS", 1)
    kinds = ["heads", "heads", "nets", "nets", "heads", "others"]
    trials = [Ranked(-value, number, kinds[number]) for number, value in enumerate([0.9, 0.8, 0.5, 0.6, 0.95, 0.1])]

    assert [each.number for each in with_weights(trials, of_kind=0)] == [4]
    assert [each.number for each in with_weights(trials, of_kind=1)] == [4, 3, 5]
    assert [each.number for each in with_weights(trials, of_kind=2)] == [4, 0, 3, 2, 5]


def test_of_each_kind_of_model_weights_stay_while_a_sweep_runs_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_files, "KEPT_WEIGHTS", 1)

    def two_kinds(trial):
        is_cnn = trial.suggest_categorical("arch", ["mlp", "cnn"]) == "cnn"
        own = {"arch": "cnn", "depth": 1, "head": 4} if is_cnn else {}
        return replace(fake_space(trial), **own)

    for total in (4, 8):
        bridge, _ = open_bridge(tmp_path, total, two_kinds, pruner="none", kept_of_kind=1)
        execute(bridge, DATA)

    record = Record(tmp_path)
    complete = [trial for trial in record.ranked if trial.state == "COMPLETE"]
    best_of_kinds = {next(each.number for each in complete if each.kind == kind) for kind in ("mlp", "cnn")}
    assert {trial.number for trial in record.trials if trial.weights} == best_of_kinds


def test_weights_that_would_not_stay_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_files, "KEPT_WEIGHTS", 2)
    written = []
    monkeypatch.setattr(files, "crash_point", lambda step, path, data=b"": written.append((step, path)))
    bridge, _ = open_bridge(tmp_path, TRIALS, pruner="none")
    execute(bridge, DATA)

    saved = {int(path.parent.name) for step, path in written if (step, path.name) == ("after", "best.safetensors")}
    values = [trial.value if trial.state == "COMPLETE" else -1 for trial in Record(tmp_path).trials]
    assert saved == {
        number
        for number, value in enumerate(values)
        if value >= 0 and sum(before >= value for before in values[:number]) < 2
    }
    assert len(saved) < sum(value >= 0 for value in values)


def test_an_ended_trial_leaves_no_attempts_behind(tmp_path):
    bridge, _ = open_bridge(tmp_path, 4)
    execute(bridge, DATA)

    assert not list(tmp_path.glob("trials/*/attempt-*"))
    assert json.loads((trial_folder(tmp_path, 0) / "config.json").read_text()) == Record(tmp_path).trials[0].config


def test_when_the_time_budget_is_reached_nothing_new_is_ordered_once_a_report_was_made(tmp_path):
    bridge, watcher = open_bridge(tmp_path, TRIALS, deadline=0.0)

    execute(bridge, DATA)

    assert bridge.stopping == Stop.TIME_BUDGET
    assert watcher.ordered == [(0, 1)]


def test_every_start_with_a_time_budget_that_is_over_at_once_gets_the_sweep_on_by_a_report(tmp_path):
    def epochs(bridge):
        return sum(len(trial.intermediate_values) for trial in bridge.ledger.trials)

    for _ in range(3):
        bridge, _ = open_bridge(tmp_path, 3, pruner="none", deadline=0.0)
        before = epochs(bridge)

        execute(bridge, DATA)

        assert epochs(bridge) > before


def test_what_the_last_driver_left_is_no_gain_of_this_start(tmp_path):
    bridge, _ = open_bridge(tmp_path, 1, pruner="none")
    attempt = Attempt(bridge.next_order(), DATA, train=fake_train)
    attempt.next_report()  # on the disk, and no driver there to take it

    bridge, _ = open_bridge(tmp_path, 1, pruner="none", deadline=0.0)

    assert not bridge.stopping


def test_a_time_budget_does_not_wait_for_trials_that_find_no_place(tmp_path):
    bridge, _ = open_bridge(tmp_path, 1, deadline=0.0)
    bridge.next_order()
    assert not bridge.stopping

    bridge.is_stuck = True
    bridge.tick()

    assert bridge.stopping == Stop.TIME_BUDGET


def test_a_full_disk_on_a_worker_stops_the_sweep_and_leaves_the_trial_to_go_on(tmp_path):
    def full(config, data, state):
        raise OSError(28, "No space left on device")
        yield

    bridge, _ = open_bridge(tmp_path, 1)
    with pytest.raises(OSError, match="No space left on device"):
        execute(bridge, DATA, train=full)

    bridge, _ = open_bridge(tmp_path, 1, pruner="none")
    execute(bridge, DATA)
    assert Record(tmp_path).trials[0].state == "COMPLETE"


def test_a_trial_that_passed_a_rung_is_not_pruned_there_after_a_restart(tmp_path):
    better = {"lr": 0.1, "epochs": 9, "batch_size": 8}
    queue = {n: QueueEntry({"lr": 0.002, "epochs": 9, "batch_size": 8} if n == 0 else better) for n in range(8)}
    bridge, _ = open_bridge(tmp_path, 8, queue=queue)
    orders = [bridge.next_order() for _ in range(8)]
    attempts = [Attempt(order, DATA, train=fake_train) for order in orders]
    for number, attempt in enumerate(attempts):  # each reaches its first rung; trial 0, the worst, has no peers yet
        bridge.report(number, attempt.next_report())
    assert bridge.ledger.trial(0).last_step == bridge.ledger.rungs(9)[0]
    assert bridge.ledger.should_prune(0)  # now that the others are there

    bridge, _ = open_bridge(tmp_path, 8, queue=queue)

    assert Record(tmp_path).trials[0].state == "RUNNING"


def test_a_trial_that_diverges_late_keeps_its_epochs(tmp_path):
    def diverges(config, data, state):
        for metrics in fake_train(config, data, state):
            if metrics.epoch == 3:
                raise Diverged("epoch 4")
            yield metrics

    bridge, _ = open_bridge(tmp_path, 1, queue={0: QueueEntry({"lr": 0.1, "epochs": 12, "batch_size": 8})})
    execute(bridge, DATA, train=diverges)

    trial = Record(tmp_path).trials[0]
    assert (trial.state, trial.reason) == ("FAIL", "diverged")
    assert [epoch["epoch"] for epoch in trial.history] == [1, 2, 3]


def test_the_gaussian_process_draws_too_and_learns_where_trials_diverge(tmp_path):
    bridge, _ = open_bridge(tmp_path, 14, sampler="gp")
    execute(bridge, DATA)

    rates = [trial.config["lr"] for trial in Record(tmp_path).trials]
    assert len(set(rates)) == 14
    assert sum(rate > 0.5 for rate in rates[10:]) == 0


def with_pipeline(text):
    return lambda trial: replace(fake_space(trial), pipeline=text)


def test_many_trials_together_are_asked_to_report_twenty_times_a_second(tmp_path):
    bridge, _ = open_bridge(tmp_path, 100)
    bridge.concurrency = 50

    assert bridge.next_order().spacing == 2.5


def test_no_more_trials_run_beside_each_other_than_there_is_room_for_at_the_moment(tmp_path):
    bridge, _ = open_bridge(tmp_path, 4)
    bridge.concurrency = 1
    assert bridge.next_order().number == 0
    assert bridge.next_order() is None

    bridge.concurrency = 2  # a node has come

    assert bridge.next_order().number == 1


def test_a_drained_node_costs_no_attempt_and_is_forgotten_by_the_next_one(tmp_path):
    bridge, _ = open_bridge(tmp_path, 1, attempts=1)
    order = bridge.next_order()
    bridge.placed(0, order.attempt, "10.0.0.2 (ab12cd)")
    assert bridge.node_of(0) == "10.0.0.2 (ab12cd)"

    bridge.lost(0, order.attempt, "gone", is_drained=True)
    again = bridge.next_order()

    assert again.attempt == 2
    assert bridge.node_of(0) == ""
    bridge.lost(0, again.attempt, "gone")
    assert Record(tmp_path).trials[0].reason == "worker lost"


def test_a_transform_without_a_batched_form_is_named_once(tmp_path):
    slow = to_text(A.Compose([A.HorizontalFlip(), A.Perspective(), A.OneOf([A.Blur(), A.MedianBlur()])]))
    bridge, watcher = open_bridge(tmp_path, 4, with_pipeline(slow))
    execute(bridge, DATA)

    said = [message.split(" has no")[0] for message in watcher.messages]
    assert said == ["trial 0: Perspective", "trial 0: OneOf"]


def test_a_pipeline_that_cannot_be_read_is_an_error_before_the_trial_is_written(tmp_path):
    bridge, _ = open_bridge(tmp_path, 4, with_pipeline('{"transform":{"__class_fullname__":"Perspektive"}}'))

    with pytest.raises(ConfigError, match=r"`pipeline` must be .*unknown transform `Perspektive`"):
        bridge.next_order()

    assert open_bridge(tmp_path, 4)[0].ledger.trials == []
