"""Whole sweeps through the command lines, on real Ray, with real kills."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from sweep.analysis import predict as analysis_predict_module
from sweep.analysis.record import Record
from sweep.search import run as search_run_module
from sweep.search import status as search_status_module
from sweep.trainable.loop import train
from tests.drivers import start
from tests.searched import command, here

ROOT = Path(__file__).resolve().parents[3]


def run(module, *words):
    """A finished command; its output in text."""
    whole = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def interrupted(after_trials, *words):
    """Starts a sweep, sends its whole process group SIGINT once some trials have ended, as a terminal does."""
    driver = start("search.run", *words)
    for line in driver.stdout:
        if line.startswith(f"[{after_trials}/"):
            os.killpg(driver.pid, signal.SIGINT)
            break
    rest = driver.stdout.read()
    return driver.wait(timeout=300), rest


def labels_of(path):
    header, *rows = Path(path).read_text().splitlines()
    return header, [row.split(",") for row in rows]


@pytest.mark.ray
def test_a_sweep_stopped_by_ctrl_c_goes_on_to_its_results_and_nothing_runs_twice(tiny_data, tmp_path):
    sweep = tmp_path / "sweep"
    words = ("--data", tiny_data, "--sweep", sweep, "--max-epochs", 3, "--trials", 8, "--space", "default")

    returned, rest = interrupted(3, *words)
    assert returned == 130
    assert "Run the same command again to go on" in rest
    ended = [(t.number, t.value) for t in Record(sweep).trials if t.state != "RUNNING"]
    assert 3 <= len(ended) < 8

    again = run("search.run", *words)

    assert again.returncode == 0, again.stderr
    assert "Traceback" not in again.stdout + again.stderr
    after = Record(sweep).trials
    assert [trial.number for trial in after] == list(range(8))
    families = "small_resnet", "resnet18", "cnn", "mlp"
    assert [trial.baseline for trial in after[:4]] == [f"reference {family}" for family in families]
    assert {trial.state for trial in after[:4]} == {"COMPLETE"}
    assert "RUNNING" not in Counter(trial.state for trial in after)
    assert [(t.number, t.value) for t in after if t.number in dict(ended)] == ended
    told_of = re.findall(r"^\[[^]]*\] trial (\d+) ", again.stdout, re.MULTILINE)
    assert told_of
    assert not set(map(int, told_of)) & set(dict(ended))
    for name in (
        "report.html",
        "report.md",
        "trials.csv",
        "trials.parquet",
        "epochs.parquet",
        "best/model.safetensors",
    ):
        assert (sweep / name).exists(), name
    header, rows = labels_of(sweep / "predictions.csv")
    assert header == "id,label"
    assert [row[0] for row in rows] == [f"test{number:02}.png" for number in range(10)]
    assert {row[1] for row in rows} <= {"0", "1", "2"}


def test_the_same_command_reports_a_finished_sweep_and_extends_it_by_a_larger_total(tiny_data, tmp_path):
    sweep = tmp_path / "sweep"
    words = ("--data", tiny_data, "--sweep", sweep, "--max-epochs", 3, "--fix", "arch=mlp", "--no-baselines")

    first = command(search_run_module.main, *words, "--trials", 3, on=here(train))
    before = Record(sweep).trials
    again = command(search_run_module.main, *words, "--trials", 3, on=here(train))
    changed = command(search_run_module.main, *words, "--trials", 5, "--seed", 5, on=here(train))
    more = command(
        search_run_module.main, "--sweep", sweep, "--trials", 5, on=here(train)
    )  # the rest it knows from the sweep

    assert first.exit_code == 0, first.output
    assert again.exit_code == 0
    assert "All 3 trials of this sweep have ended" in again.output
    assert changed.exit_code == 2
    assert "seed: was 0, now 5" in changed.output
    assert more.exit_code == 0, more.output
    assert [trial.number for trial in Record(sweep).trials] == list(range(5))
    assert [trial.value for trial in Record(sweep).trials[:3]] == [trial.value for trial in before]
    assert "5 of 5 trials ended" in command(search_status_module.main, sweep).output
    new = command(analysis_predict_module.main, sweep, "--images", tiny_data / "test", "--out", tmp_path / "new.csv")
    assert new.exit_code == 0, new.output
    assert labels_of(tmp_path / "new.csv") == labels_of(sweep / "predictions.csv")


@pytest.mark.ray
def test_a_driver_told_to_end_while_ray_starts_says_so(tiny_data, tmp_path):
    driver = start("search.run", "--data", tiny_data, "--sweep", tmp_path / "sweep", "--fix", "arch=mlp")
    log, tasks = tmp_path / "sweep" / "log.txt", Path(f"/proc/{driver.pid}/task")
    while not log.exists() or not any(file.read_text() for file in tasks.glob("*/children")):  # one of Ray's processes
        assert driver.poll() is None
        time.sleep(0.01)
    driver.send_signal(signal.SIGTERM)

    said, _ = driver.communicate(timeout=300)

    assert driver.returncode == 143, said
    assert "ame command again to go on" in said
    assert "Traceback" not in said


@pytest.mark.ray
def test_what_is_collected_while_ray_ends_does_not_end_the_driver(tiny_data, tmp_path):
    words = ("--data", tiny_data, "--sweep", tmp_path / "sweep", "--trials", 1, "--max-epochs", 1, "--space", "default")

    done = run("tests.collected_run", *words)

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "sweep" / "trials.csv").exists()


def test_bad_data_is_refused_before_anything_starts(tiny_data, tmp_path):
    (tiny_data / "train.txt").write_text("id,label\nnowhere.png,0\ntrain00.png\n")

    refused = run("search.run", "--data", tiny_data, "--sweep", tmp_path / "sweep")

    assert refused.returncode == 2
    assert "train.txt:3" in refused.stderr
    assert "nowhere.png" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "sweep").exists()
