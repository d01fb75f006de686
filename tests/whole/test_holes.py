"""The fourteen ways in which a restarted Ray Tune experiment loses or repeats work, each closed here.

They were found by running Ray 2.60's `Tuner.restore`, its searchers and `OptunaSearch`
with a storage; each test has the hole in its docstring.
"""

import os
import pickle
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sweep.analysis.record import Record
from sweep.search.pruners import new_pruner
from sweep.search.ray.executor import BridgeScheduler, BridgeSearcher
from sweep.search.runtime.ledger import Ledger
from sweep.storage import files
from sweep.storage.journal import JournalError
from sweep.storage.lock import driver_lock
from sweep.storage.paths import checkpoints, trial_folder
from sweep.storage.sweep_file import QueueEntry
from sweep.trainable import loop
from sweep.trainable.config import TrialConfig
from sweep.trainable.worker.attempt import Attempt
from tests.trials import execute, fake_train, in_memory, open_bridge, outcome

ROOT = Path(__file__).resolve().parents[2]
DATA = in_memory()


class Killed(BaseException):
    """The driver is gone: no `except Exception` sees it."""


def a_whole_sweep(folder, trials, **plan):
    bridge, watcher = open_bridge(folder, trials, **plan)
    execute(bridge, DATA)
    return watcher


@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_h1_a_sweep_without_its_records_is_refused_and_not_begun_anew(tmp_path, damage):
    """A missing or cut snapshot starts a new experiment with one trial, exit code 0, and hides the old results."""
    a_whole_sweep(tmp_path, 4)
    journal = tmp_path / "journal.log"
    content = journal.read_bytes()
    journal.write_bytes(
        {"gone": b"", "empty": b"", "cut": content[: content.index(b"\n", len(content) // 2) + 1]}[damage]
    )
    if damage == "gone":
        journal.unlink()

    with pytest.raises(JournalError, match="trials/0003 is there"):
        open_bridge(tmp_path, 4)


def test_h2_killed_before_anything_ended_the_sweep_still_gets_all_its_trials(tmp_path):
    """Killed before the first snapshot, 1 of 8 trials runs after the restart, exit code 0."""
    bridge, _ = open_bridge(tmp_path, 8)
    bridge.next_order()

    a_whole_sweep(tmp_path, 8)

    assert [trial.number for trial in Record(tmp_path).trials] == list(range(8))
    assert "RUNNING" not in {trial.state for trial in Record(tmp_path).trials}


def test_h3_nothing_of_the_searcher_is_pickled_or_read_back(tmp_path):
    """A cut pickle of the searcher hangs the restart."""
    bridge, _ = open_bridge(tmp_path, 2)

    for part in (BridgeSearcher(bridge), BridgeScheduler(bridge)):
        assert pickle.loads(pickle.dumps(part)).__dict__ == {}
        assert "save" not in vars(type(part)) or part.save(str(tmp_path / "searcher.pkl")) is None
    assert not (tmp_path / "searcher.pkl").exists()


def test_h4_a_trial_whose_files_were_never_made_goes_on(tmp_path):
    """A searcher older than the list of trials is a KeyError at every restart."""
    bridge, _ = open_bridge(tmp_path, 3)
    bridge.next_order()
    for file in trial_folder(tmp_path, 0).iterdir():
        file.unlink()
    trial_folder(tmp_path, 0).rmdir()

    a_whole_sweep(tmp_path, 3)

    assert len(Record(tmp_path).trials) == 3


def test_h5_h6_four_kills_in_short_order_repeat_a_report_each_at_most(tmp_path):
    """Snapshots come at most every 10 s: 4 kills 11 to 16 s apart cost 71 epochs for 32 of work."""
    trained = []

    def counting(config, data, state):
        for metrics in fake_train(config, data, state):
            trained.append((config.seed, metrics.epoch))
            yield metrics

    queue = {number: QueueEntry({"lr": 0.1, "epochs": 9, "batch_size": 8}) for number in range(4)}
    reports = 0
    for _ in range(4):  # each driver is gone after its third report, with the worker's next one written and unread
        bridge, _ = open_bridge(tmp_path, 4, queue=queue, pruner="none")
        attempt = None
        for _ in range(3):
            if attempt is None and (order := bridge.next_order()):
                attempt = Attempt(order, DATA, train=counting)
            report = attempt.next_report()
            reports += 1
            if bridge.report(attempt.order.number, report):
                bridge.released(attempt.order.number, attempt.order.attempt)
                attempt = None
        if attempt is not None:
            attempt.next_report()
    bridge, _ = open_bridge(tmp_path, 4, queue=queue, pruner="none")
    execute(bridge, DATA, train=counting)

    assert [trial.epochs for trial in Record(tmp_path).trials] == [9] * 4
    assert len(trained) == len(set(trained)) == 36


def test_h7_killed_right_after_an_end_the_restart_does_not_tell_it_again(tmp_path, monkeypatch):
    """`OptunaSearch(storage=...)` and one SIGKILL: UpdateFinishedTrialError at every restart (optuna #3198)."""
    bridge, _ = open_bridge(tmp_path, 3)
    tell = bridge.ledger.tell

    def tell_then_die(*words):
        tell(*words)
        raise Killed

    monkeypatch.setattr(bridge.ledger, "tell", tell_then_die)
    with pytest.raises(Killed):
        execute(bridge, DATA)

    for _ in range(2):
        a_whole_sweep(tmp_path, 3)
    assert [trial.number for trial in Record(tmp_path).trials] == [0, 1, 2]


def test_h8_a_restart_enqueues_nothing_again_and_leaves_nothing_running(tmp_path):
    """`points_to_evaluate` is enqueued again at each restart; suggestions that were lost stay RUNNING for ever."""
    queue = {number: QueueEntry({"lr": lr, "epochs": 3, "batch_size": 8}) for number, lr in enumerate([0.01, 0.02])}
    for _ in range(3):
        bridge, _ = open_bridge(tmp_path, 5, queue=queue)
        bridge.next_order()  # and the driver is gone
    a_whole_sweep(tmp_path, 5, queue=queue)

    trials = Record(tmp_path).trials
    assert [trial.params["lr"] for trial in trials].count(0.01) == 1
    assert len(trials) == 5
    assert "RUNNING" not in {trial.state for trial in trials}


def test_h9_a_second_driver_does_not_run(tmp_path):
    """Without a lock two drivers both run: 58 epochs instead of 24."""
    words = [sys.executable, "-m", "search.run", "--sweep", str(tmp_path / "sweep")]
    with driver_lock(tmp_path / "sweep"):
        before = sorted(tmp_path.rglob("*"))
        second = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert sorted(tmp_path.rglob("*")) == before

    assert second.returncode == 75
    assert f"pid {os.getpid()} on" in second.stderr


def test_h10_a_full_disk_takes_nothing_from_what_was_recorded(tmp_path, monkeypatch):
    """A full disk truncates the only snapshot, for it is written in place and without fsync."""
    bridge, _ = open_bridge(tmp_path, 6)
    append, written = files.append, []

    def append_until_full(path, data):
        if len(written) > 20:
            raise OSError(28, "No space left on device", str(path))
        append(path, data)
        written.append(data)

    monkeypatch.setattr(files, "append", append_until_full)
    with pytest.raises(OSError, match="No space left"):
        execute(bridge, DATA)
    monkeypatch.undo()
    before = {trial.number: trial.value for trial in Record(tmp_path).trials if trial.state != "RUNNING"}

    a_whole_sweep(tmp_path, 6)

    after = {trial.number: trial.value for trial in Record(tmp_path).trials}
    assert len(after) == 6
    assert before.items() <= after.items()


def test_h11_a_trial_without_its_checkpoints_starts_again_and_completes(tmp_path):
    """A checkpoint that the snapshot names and retention deleted: the trial is an ERROR, the exit code 0."""
    bridge, _ = open_bridge(tmp_path, 1, pruner="none")
    attempt = Attempt(bridge.next_order(), DATA, train=fake_train)
    bridge.report(0, attempt.next_report())
    for path in checkpoints(attempt.folder):
        path.unlink()

    a_whole_sweep(tmp_path, 1, pruner="none")

    trial = Record(tmp_path).trials[0]
    assert trial.state == "COMPLETE"
    assert [epoch["epoch"] for epoch in trial.history] == list(range(1, trial.config["epochs"] + 1))


def test_h12_a_clock_that_jumps_back_changes_nothing(tmp_path, monkeypatch):
    """The newest session is the one with the largest local wall-clock name."""
    a_whole_sweep(tmp_path / "steady", 6)
    for start in range(4):

        class Earlier(datetime):
            @classmethod
            def now(cls, tz=None, hours=start):
                return datetime.now(tz) - timedelta(hours=hours)

        for module in ("optuna.storages.journal._storage", "optuna.storages._in_memory"):
            monkeypatch.setattr(f"{module}.datetime", Earlier)
        monkeypatch.setattr(time, "time", lambda hours=start: 1e9 - 3600 * hours)
        bridge, _ = open_bridge(tmp_path / "jumping", 6)
        for _ in range(2):
            if (order := bridge.next_order()) is not None:
                attempt = Attempt(order, DATA, train=fake_train)
                while not bridge.report(order.number, attempt.next_report()):
                    pass
    a_whole_sweep(tmp_path / "jumping", 6)

    assert outcome(tmp_path / "jumping") == outcome(tmp_path / "steady")


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_h13_a_loss_that_is_no_number_is_a_fail_and_never_the_best(tmp_path, metric):
    """NaN is never stopped by ASHA and left RUNNING by Optuna; infinity can win a maximisation."""

    def space(trial):
        rate = trial.suggest_categorical("lr", [0.01, 1e30])
        return TrialConfig(arch="mlp", width=0.1, lr=rate, epochs=2, batch_size=8)

    queue = {0: QueueEntry({"lr": 1e30}), 1: QueueEntry({"lr": 0.01})}
    bridge, _ = open_bridge(tmp_path, 2, space, queue=queue, metric=metric)
    execute(bridge, DATA, train=loop.train)

    record = Record(tmp_path)
    assert [(trial.state, trial.reason) for trial in record.trials] == [("FAIL", "diverged"), ("COMPLETE", "")]
    assert record.best.number == 1
    assert "epoch" in record.trials[0].message


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_h14_a_signal_is_never_a_success(tmp_path, number, code):
    """SIGINT exits with 0 and counts running trials as ended; SIGTERM takes no snapshot. Here: before Ray is up."""
    driver = subprocess.Popen(
        [sys.executable, "-m", "search.run", "--data", str(tmp_path), "--sweep", str(tmp_path / "sweep")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # under nohup, or in the background, it is ignored
    )
    while not (tmp_path / "sweep" / "lock").exists() and driver.poll() is None:
        time.sleep(0.01)
    driver.send_signal(number)
    said = driver.communicate(timeout=120)[0]

    assert driver.returncode == code, said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert {path.name for path in (tmp_path / "sweep").rglob("*")} <= {"lock"}  # at most, if it was just being taken


def test_a_reopened_ledger_refuses_the_records_of_another_sweep(tmp_path):
    """As after a folder was copied by hand."""
    a_whole_sweep(tmp_path, 2)

    with pytest.raises(JournalError, match="is the ledger of another sweep"):
        Ledger(tmp_path, "b" * 32, "accuracy", new_pruner("halving"))
