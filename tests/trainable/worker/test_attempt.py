"""One try of a trial on a worker: where it starts, how it fails, and how it ends when it hangs."""

import errno
import multiprocessing
import platform
import re
import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sweep.storage.files import DamagedError
from sweep.storage.paths import checkpoints
from sweep.storage.states import Reason
from sweep.trainable import loop, weights
from sweep.trainable.config import TrialConfig
from sweep.trainable.features import store
from sweep.trainable.loop import Diverged
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.saving import save
from sweep.trainable.state import new_state
from sweep.trainable.worker import attempt as attempt_module
from sweep.trainable.worker.attempt import Attempt, hung_after
from sweep.trainable.worker.order import Order, hung_stacks
from sweep.trainable.worker.report import Failure
from tests.trials import fake_train, in_memory

DATA = in_memory(train=26)
CONFIG = TrialConfig(arch="mlp", width=0.1, epochs=4, lr=0.01, batch_size=8)


def first_report(folder, train, attempt=1, config=CONFIG):
    return Attempt(Order(0, attempt, config, folder, "accuracy"), DATA, train=train).next_report()


def test_an_attempt_goes_on_from_the_checkpoint_before_a_damaged_one(tmp_path):
    state = new_state(CONFIG, DATA)
    for _ in loop.train(CONFIG, DATA, state):
        save(state, CONFIG, tmp_path / "attempt-1")
    newest = checkpoints(tmp_path / "attempt-1")[0]
    newest.write_bytes(newest.read_bytes()[:1000])
    started_at = []

    def spying_train(config, data, state):
        started_at.append(state.epochs_done)
        return loop.train(config, data, state)

    report = first_report(tmp_path, spying_train, attempt=2)

    assert started_at == [3]
    assert report.done
    assert [metrics.epoch for metrics in report.history] == [1, 2, 3, 4]


def test_a_node_without_the_sweeps_storage_says_so_before_it_trains(tmp_path):
    """One that joins a cluster later has passed no check; what it wrote would be there alone."""
    report = first_report(tmp_path / "trials" / "0000", fake_train)

    assert (report.done, report.history, report.failure.reason) == (True, [], "storage")
    assert f"trials/0000: is not there on {platform.node()}; mount" in report.failure.message
    assert not list(tmp_path.iterdir())


def test_features_are_reported_on_while_they_are_computed_so_that_a_trial_can_be_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "_remembered", {})
    monkeypatch.setattr(attempt_module, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(store, "CHUNK_ROWS", 8)
    config = TrialConfig(
        arch="logistic_head", backbone="timm/tf_efficientnet_lite0", epochs=1, penalty=0.1, input_size=32
    )
    attempt = Attempt(Order(0, 1, config, tmp_path, "accuracy"), DATA)

    reports = [attempt.next_report()]
    while not reports[-1].done:
        reports.append(attempt.next_report())

    assert [(len(report.history), report.failure) for report in reports] == [*[(0, None)] * 7, (1, None)]
    done = [report.prepared.done if report.prepared else None for report in reports]
    assert done == [8, 16, 24, 26, 8, 16, 20, None]
    assert f"{reports[1].prepared}" == f"computing the features of 26 images by {config.backbone} at 32 px: 16 of 26"


@pytest.mark.parametrize("fails", [False, True], ids=["", "fails"])
def test_a_note_on_how_the_net_is_trained_is_reported(tmp_path, fails):
    def training(config, data, state):
        state.note = "no graph"
        if fails:
            raise Diverged("epoch 1")
        yield from fake_train(config, data, state)

    assert first_report(tmp_path, training).note == "no graph"


def numpy_allocates():
    np.empty(2**50)


def torch_allocates():
    torch.empty(2**50)


def raising(error):
    def fail():
        raise error

    return fail


@pytest.mark.parametrize(
    ("fail", "reason", "message"),
    [
        (raising(Diverged("epoch 1")), "diverged", "epoch 1"),
        (raising(torch.OutOfMemoryError("CUDA: 2 GiB")), "out of memory", "CUDA: 2 GiB"),
        (raising(MemoryError()), "host memory", "no memory (peak of this process: "),
        (numpy_allocates, "host memory", "Unable to allocate 8.00 PiB"),
        (torch_allocates, "host memory", "you tried to allocate 4503599627370496 bytes"),
        (raising(OSError(errno.ENOMEM, "Cannot allocate memory")), "host memory", "Cannot allocate memory"),
        (raising(OSError(errno.ENOSPC, "No space left")), "storage", "No space left"),
        (raising(DamagedError(Path("a.pixels"), "is cut", "remove it")), "storage", "a.pixels: is cut; remove it"),
        (raising(RuntimeError("bug")), "error", "RuntimeError: bug"),
    ],
)
def test_a_failure_is_a_report_with_its_reason(tmp_path, fail, reason, message):
    def failing(config, data, state):
        fail()
        yield

    report = first_report(tmp_path, failing)

    assert report.done
    assert report.failure.reason == reason
    assert message in report.failure.message
    assert ("MiB" in report.failure.message) == (reason == "host memory")
    assert ("raise error" in report.failure.log) == (reason == "error")
    assert (tmp_path / "attempt-1" / "result.json").exists() == (reason != "storage")


def test_memory_too_short_for_any_micro_batch_fails_the_trial_and_keeps_its_epochs(tmp_path):
    def short_of_memory_in_epoch_2(config, data, state):
        yield next(loop.train(config, data, state))
        state.model.register_forward_pre_hook(refuse)
        yield from loop.train(config, data, state)

    def refuse(model, inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    attempt = Attempt(Order(0, 1, CONFIG, tmp_path, "accuracy", (1,)), DATA, train=short_of_memory_in_epoch_2)
    attempt.next_report()  # to the rung after epoch 1
    report = attempt.next_report()

    assert report.failure == Failure(Reason.OUT_OF_MEMORY, "CUDA out of memory")
    assert [metrics.micro_batch for metrics in report.history] == [8]


def epochs_of(*seconds):
    return [EpochMetrics(epoch, 1.0, 1.0, 0.5, 0.5, 0.1, each, 8) for epoch, each in enumerate(seconds, start=1)]


@pytest.mark.parametrize(("spacing", "reported"), [(0.0, [2, 4, 12]), (1000.0, [12])], ids=["alone", "among many"])
def test_a_trial_reports_at_its_rungs_unless_too_many_run_beside_it(tmp_path, spacing, reported):
    order = Order(0, 1, replace(CONFIG, epochs=12), tmp_path, "accuracy", (2, 4), spacing)
    attempt = Attempt(order, DATA, train=fake_train)
    reports = [attempt.next_report()]
    while not reports[-1].done:
        reports.append(attempt.next_report())

    assert [len(report.history) for report in reports] == reported


@pytest.mark.parametrize(
    ("history", "train_pixels", "limit"),
    [
        ([], 0, 3600.0),
        ([], 8000 * 16 * 16, 3600 + 40.96),
        ([], 1_000_000 * 224 * 224, 3600 + 1_003_520),
        (epochs_of(0.1), 8000 * 16 * 16, 120.0),
        (epochs_of(6.0), 0, 120.0),
        (epochs_of(7.0, 130.0, 8.0), 0, 160.0),
    ],
)
def test_an_epoch_is_hung_after_twenty_of_the_usual_ones_before_it(history, train_pixels, limit):
    assert hung_after(history, train_pixels) == pytest.approx(limit)


@pytest.fixture
def short_limits(monkeypatch):
    for name in ("HUNG_SECONDS", "HUNG_FIRST_SECONDS"):
        monkeypatch.setattr(attempt_module, name, 0.4)


def exit_code_of(folder, train):
    """Carries an order out in a process of its own, from the first report to the last."""

    def work():
        attempt = Attempt(Order(0, 1, CONFIG, folder, "accuracy"), DATA, train=train)
        while not attempt.next_report().done:
            pass

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(timeout=300)
    process.kill()
    return process.exitcode


def sleep():
    time.sleep(1000)


def hold_the_lock_of_python():
    re.match("(a+)+$", "a" * 60 + "b")  # in C, for years


@pytest.mark.parametrize("hang", [sleep, hold_the_lock_of_python])
def test_a_hung_epoch_ends_the_process_and_leaves_its_stacks(tmp_path, short_limits, hang):
    def hangs_in_epoch_2(config, data, state):
        yield next(fake_train(config, data, state))
        hang()

    assert exit_code_of(tmp_path, hangs_in_epoch_2) == -signal.SIGKILL

    assert "in hangs_in_epoch_2" in hung_stacks(tmp_path, 1)
    assert not (tmp_path / "attempt-1" / "result.json").exists()


def test_neither_a_slow_trial_nor_a_slow_disk_is_hung(tmp_path, short_limits, monkeypatch):
    def slow_train(config, data, state):
        for metrics in fake_train(config, data, state):
            time.sleep(0.12)  # four make more than the limit, which is an epoch's
            yield replace(metrics, seconds=0.001)

    def slow_save(state, config, folder):
        time.sleep(0.5 if state.epochs_done == 1 else 0)
        return save(state, config, folder)

    monkeypatch.setattr(attempt_module, "save", slow_save)

    assert exit_code_of(tmp_path, slow_train) == 0
    assert hung_stacks(tmp_path, 1) == ""


def test_the_watchdog_and_its_file_are_done_with_when_a_report_is_made(tmp_path, monkeypatch):
    armed, files = [], []

    @contextmanager
    def watched(seconds, file):
        armed.append(seconds)
        files.append(file)
        try:
            yield
        finally:
            armed.clear()

    monkeypatch.setattr(attempt_module, "ended_when_hung", watched)

    def failing_train(config, data, state):
        assert armed
        assert not files[-1].closed
        yield next(fake_train(config, data, state))
        raise ValueError

    first_report(tmp_path, failing_train)

    assert files
    assert not armed
    assert all(file.closed for file in files)


def test_one_slow_save_does_not_put_the_next_report_off(tmp_path, monkeypatch):
    """A pause of the machine amid it says nothing of how long saves take."""
    clock = [0.0]
    monkeypatch.setattr(attempt_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    pauses = iter([130.0])

    def paused_save(state, config, folder):
        clock[0] += next(pauses, 0.01)

    def train(config, data, state):
        for metrics in fake_train(config, data, state):
            clock[0] += 0.5
            yield metrics

    monkeypatch.setattr(attempt_module, "save", paused_save)
    attempt = Attempt(Order(0, 1, replace(CONFIG, epochs=12), tmp_path, "accuracy"), DATA, train=train)

    reports = [len(attempt.next_report().history) for _ in range(3)]

    assert reports == [2, 4, 6]


def test_an_attempt_that_never_began_has_no_stacks(tmp_path):
    assert hung_stacks(tmp_path, 3) == ""
