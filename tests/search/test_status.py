"""One screen of a sweep, drawn once or kept fresh."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from sweep.analysis.report import status as screen
from sweep.search import status
from sweep.storage.lock import driver_lock
from tests.sweeps import CNN, MLP, SweepBuilder, noise, varied_sweep

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 300.0


@pytest.fixture(scope="module")
def data():
    return noise()


@pytest.fixture
def sweep(tmp_path, data):
    return varied_sweep(tmp_path / "sweep", data)


def shown(*options):
    return CliRunner().invoke(status.main, [str(option) for option in options])


def end_all(sweep):
    """Until the sweep has all its eight trials, none of them RUNNING."""
    sweep.ledger.tell(5, status_of("FAIL"))
    for _ in range(2):
        sweep.add(MLP, [3])


def status_of(state):
    from optuna.trial import TrialState

    return TrialState[state]


def test_a_running_sweep_shows_its_driver_what_runs_and_the_time_left(sweep):
    with driver_lock(sweep.folder):
        result = shown(sweep.folder)

    assert result.exit_code == 0
    assert "best: validation accuracy 0.8000 after epoch 3 (trial 1)" in result.output
    assert "failures: 1 diverged, 1 out of memory" in result.output
    assert "running: trial 5 (cnn, epoch 2 of 4, 0.3000)" in result.output
    assert re.search(rf"driver: pid {os.getpid()} on \S+ since .*; about \d+ s left", result.output)


def test_paused_trials_are_counted_in_words_and_are_not_among_those_that_run(sweep):
    for right in ([3], [6, 9]):
        sweep.add(MLP, right, "RUNNING", rungs=[1, 2])
    sweep.add(MLP, [9], "RUNNING", rungs=[1, 2], passed=1)

    result = shown(sweep.folder)

    assert ", 2 RUNNING, 2 paused (" in result.output
    assert "running: trial 5 (cnn, epoch 2 of 4, 0.3000), trial 8 (mlp, epoch 1 of 4, 0.3000)" in result.output
    assert "paused: 2 trials wait at a rung, without a worker, for others to come there (6, 7)" in result.output


def test_an_interrupted_sweep_shows_the_command_that_goes_on(sweep):
    result = shown(sweep.folder)

    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "driver: none runs; the sweep goes on by python -m search.run --trials 8"


def test_a_finished_sweep_says_so(sweep):
    end_all(sweep)

    result = shown(sweep.folder)

    assert result.exit_code == 0
    assert "running" not in result.output
    assert result.output.splitlines()[-1] == "driver: none runs, for every trial has ended"


def test_a_sweep_that_begins_has_a_screen_before_its_first_trial(tmp_path):
    with driver_lock(tmp_path / "new"):
        result = shown(tmp_path / "new")

    assert result.exit_code == 0
    assert result.output.startswith(f"{tmp_path / 'new'}: begins\ndriver: pid {os.getpid()} ")
    assert shown(tmp_path / "new").exit_code == 2  # and once its driver has left without a trial, there is none


def test_a_folder_without_a_sweep_and_a_damaged_one_are_the_users_to_mend(tmp_path, sweep):
    (sweep.folder / "sweep.json").write_text("{")

    for folder, words in ((tmp_path / "no", "holds no sweep"), (sweep.folder, "is not JSON")):
        for options in ([folder], [folder, "--watch"]):
            result = shown(*options)
            assert (result.exit_code, result.stdout) == (2, "")
            assert words in result.stderr


def test_the_screen_of_a_full_sweep_fits_24_lines_of_80_columns(tmp_path, data):
    sweep = SweepBuilder(tmp_path / ("a-sweep-with-a-long-name-" * 3), data)
    pipeline = '{"transform": {"__class_fullname__": "Compose", "transforms": [' + '{"p": 0.5}, ' * 80 + "]}}"
    for name in ("mlp", "cnn", "cnn-7", "resnet18"):
        sweep.add(MLP, [9, 12], baseline=name)
    sweep.add(replace(CNN, horizontal_flip=0.0, pipeline=pipeline), [24])
    for reason in ("diverged", "out of memory"):
        sweep.add(CNN, [], "FAIL", reason=reason)
    for _ in range(12):
        sweep.add(CNN, [3], "RUNNING")
    for file in ("report.html", "trials.csv", "best", "predictions.csv"):
        (sweep.folder / file).touch()

    with driver_lock(sweep.folder):
        lines = screen.fitted(screen.status_text(sweep.folder)[0], 80, 24).splitlines()

    assert len(lines) < 24  # the prompt takes one
    assert max(map(len, lines)) <= 80
    assert sum("…" in line for line in lines) >= 2  # what was cut says so
    assert lines[-1].endswith("left")


def test_without_a_terminal_watching_prints_each_change_and_stops_with_the_sweep(sweep, monkeypatch):
    events = iter([lambda: None, lambda: sweep.add(MLP, [30]), lambda: None, lambda: end_all(sweep)])
    monkeypatch.setattr(screen.time, "sleep", lambda seconds: next(events)())

    result = shown(sweep.folder, "--watch")

    assert result.exit_code == 0
    screens = result.output.strip().split("\n\n")
    assert [re.search(r"value|accuracy (\d\.\d+)", screen)[1] for screen in screens] == ["0.8000", "1.0000", "1.0000"]
    assert screens[-1].endswith("every trial has ended")


def test_watching_goes_on_while_a_driver_is_between_its_last_trial_and_its_report(sweep, monkeypatch):
    end_all(sweep)
    looks = []

    def interrupt(seconds):
        looks.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(screen.time, "sleep", interrupt)
    with driver_lock(sweep.folder):
        assert shown(sweep.folder, "--watch").exit_code == 0

    assert looks == [screen.WATCH_SECONDS]


def test_on_a_terminal_the_screen_is_drawn_in_place(sweep, monkeypatch):
    events = iter([lambda: sweep.add(MLP, [30]), lambda: end_all(sweep)])
    monkeypatch.setattr(screen.time, "sleep", lambda seconds: next(events)())
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)

    screen.watch(sweep.folder, console)

    drawn = console.file.getvalue()
    assert drawn.index("0.8000 after epoch 3") < drawn.index("1.0000 after epoch 1") < drawn.index("has ended")
    assert drawn.count("\x1b[2K") > 20  # the lines before are wiped, not scrolled away
    assert "\x1b[?1049h" not in drawn  # the last screen stays when it ends


def test_ctrl_c_ends_watching_quietly(sweep):
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "search.status", str(sweep.folder), "--watch"]
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731 (in the background it is ignored)
    process = subprocess.Popen(command, cwd=ROOT, stdin=its_end, stdout=its_end, stderr=its_end, preexec_fn=heard)
    os.close(its_end)
    try:
        said, deadline = read_until(terminal, b"driver: none"), time.monotonic() + DEADLINE_SECONDS
        process.send_signal(signal.SIGINT)
        said += read_until(terminal, None)
        assert process.wait(deadline - time.monotonic()) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert b"Traceback" not in said
    assert b"Abort" not in said


def read_until(terminal, words):
    """What a program writes on the terminal, up to these words or to its end."""
    said = b""
    while words is None or words not in said:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not more:
            break
        said += more
    return said
