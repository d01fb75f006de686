"""The watchdog of a worker: what is a hang, and what is a pause."""

import os
import select
import signal
import subprocess
import sys
import threading
from multiprocessing import get_context
from pathlib import Path

import pytest

from sweep.trainable.config import TrialConfig
from sweep.trainable.worker import attempt as attempt_module
from sweep.trainable.worker import watchdog
from sweep.trainable.worker.attempt import Attempt
from sweep.trainable.worker.order import Order, hung_stacks
from tests.trials import fake_train, in_memory

CONFIG = TrialConfig(arch="mlp", width=0.1, epochs=4, lr=0.01, batch_size=8)


class Machine:
    """A clock, and the waits of a watchdog on it; what comes amid a wait is `(seconds, what)`, in turn."""

    def __init__(self, *script):
        self.script, self.now, self.paused = list(script), 0.0, False

    def wait(self, seconds):
        self.now += seconds
        what = self.script.pop(0) if self.script else None
        if isinstance(what, float):  # a pause of the whole machine, that of the watchdog among it
            self.now += what
            return None
        if isinstance(what, bool):
            self.paused = what
            return None
        return what


def looked_at(*script):
    from sweep.trainable.worker.watchdog import is_hung

    machine = Machine(*script)
    return is_hung(machine.wait, lambda: machine.paused), machine.now


def test_an_epoch_is_hung_once_the_seconds_that_it_may_take_have_been_waited():
    assert looked_at("120.0\n") == (True, 1 + 120)


def test_a_pause_of_the_whole_machine_is_not_counted():
    assert looked_at("120.0\n", *[None] * 10, 7200.0) == (True, 1 + 120 + 7200)


def test_time_in_which_the_worker_alone_is_stopped_is_not_counted():
    assert looked_at("120.0\n", True, *[None] * 500, False) == (True, 1 + 501 + 120)


def test_the_next_epoch_may_take_its_own_time_and_nothing_is_hung_between_them():
    script = ["120.0\n", *[None] * 100, "inf\n", *[None] * 1000, "1.5\n120.0\n", *[None] * 100, "inf\n", ""]

    assert looked_at(*script) == (False, len(script))


def paused_in_epoch_2(folder):
    """Carries an order out in a process of its own, which is stopped for longer than an epoch may take; exit code."""

    def stops_itself(config, data, state):
        for metrics in fake_train(config, data, state):
            if metrics.epoch == 2:
                os.kill(os.getpid(), signal.SIGSTOP)
            yield metrics

    def work():
        attempt = Attempt(Order(0, 1, CONFIG, folder, "accuracy"), in_memory(), train=stops_itself)
        while not attempt.next_report().done:
            pass

    process = get_context("fork").Process(target=work)
    process.start()
    os.waitpid(process.pid, os.WUNTRACED)
    threading.Event().wait(0.5)  # the pause
    os.kill(process.pid, signal.SIGCONT)
    process.join(timeout=300)
    process.kill()
    return process.exitcode


def test_a_trial_that_is_paused_goes_on_where_it_was(tmp_path, monkeypatch):
    for name in ("HUNG_SECONDS", "HUNG_FIRST_SECONDS", "REPORT_SECONDS"):
        monkeypatch.setattr(attempt_module, name, 0.1)

    assert paused_in_epoch_2(tmp_path) == 0
    assert hung_stacks(tmp_path, 1) == ""


@pytest.mark.parametrize("error", [BlockingIOError(11, "Resource temporarily unavailable"), OSError(12, "No memory")])
def test_a_worker_that_can_start_no_process_trains_without_a_watchdog(tmp_path, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    watchdog._watchdog.cache_clear()
    monkeypatch.setattr(watchdog.subprocess, "Popen", refuse)
    attempt = Attempt(Order(0, 1, CONFIG, tmp_path, "accuracy"), in_memory(), train=fake_train)

    report = attempt.next_report()

    assert report.failure is None
    assert report.done


def test_an_error_of_the_block_is_not_hidden_by_one_of_the_watchdog(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    watchdog._watchdog.cache_clear()
    monkeypatch.setattr(watchdog.subprocess, "Popen", refuse)

    with (
        open(tmp_path / "stacks", "w") as stacks,
        pytest.raises(ValueError, match="its own"),
        watchdog.ended_when_hung(1000, stacks),
    ):
        raise ValueError("its own")


@pytest.fixture
def killed(monkeypatch):
    """Lets a watchdog run; returns the signals that its worker gets.

    Of each time that the worker seems to be hung, `ordered` says whether orders came while the stacks were written.
    """

    def watch(*hung, ordered):
        sent, verdicts, late = [], iter(hung), iter(ordered)
        monkeypatch.setattr(sys, "argv", ["watchdog.py", str(os.getppid())])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        monkeypatch.setattr(watchdog, "is_hung", lambda *_: next(verdicts))
        monkeypatch.setattr(select, "select", lambda *_: ([0] if next(late) else [], [], []))
        monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
        watchdog.main()
        return sent

    return watch


def test_a_worker_whose_epoch_ends_while_its_stacks_are_written_is_not_ended(killed):
    worker = os.getppid()

    assert killed(True, False, ordered=[True]) == [(worker, signal.SIGUSR2)]
    assert killed(True, True, ordered=[True, False]) == [(worker, signal.SIGUSR2)] * 2 + [(worker, signal.SIGKILL)]


def test_stacks_that_are_asked_for_as_the_epoch_ends_neither_end_the_worker_nor_tell_of_a_hang(tmp_path):
    with open(tmp_path / "stacks", "w") as stacks:
        with watchdog.ended_when_hung(1000, stacks):
            os.kill(os.getpid(), signal.SIGUSR2)
            assert Path(stacks.name).read_text() != ""
        os.kill(os.getpid(), signal.SIGUSR2)

    assert Path(stacks.name).read_text() == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_the_watchdog_ends_with_its_worker():
    """Also where that is killed, and cannot say so."""
    code = (
        "import sys, time, trainable.worker.watchdog as w\n"
        "with w.ended_when_hung(1000, sys.stderr):\n"
        "    print(w._watchdog(w.os.getpid()).pid, flush=True)\n"
        "    time.sleep(1000)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watchdog = os.pidfd_open(int(worker.stdout.readline()))

    worker.kill()
    worker.communicate()

    assert select.select([watchdog], [], [], 60)[0]
    os.close(watchdog)


def test_a_watchdog_that_somebody_ended_is_replaced(tmp_path):
    with open(tmp_path / "stacks", "w") as stacks:
        with watchdog.ended_when_hung(1000, stacks):
            first = watchdog._watchdog(os.getpid())
        first.kill()
        first.wait()
        with watchdog.ended_when_hung(1000, stacks):
            assert watchdog._watchdog(os.getpid()).poll() is None
    assert Path(stacks.name).read_text() == ""
