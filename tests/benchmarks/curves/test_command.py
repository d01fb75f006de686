"""`make curves` records in processes of its own, and goes on where it ended."""

import os
import subprocess
import sys
from itertools import count
from pathlib import Path

from benchmarks.curves.recorder import Work, in_order, record
from benchmarks.curves.recordings import RECORDINGS
from benchmarks.curves.table import read

ROOT = Path(__file__).resolve().parents[3]


def curves(*words, **environment):
    command = [sys.executable, "-m", "benchmarks.curves", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_the_command_goes_on_with_the_rows_that_are_not_there_yet(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEP_TEST_DATA", str(tiny_data))
    recording, rows = RECORDINGS[0], tmp_path / "rows"
    work = Work(recording, rows, "an earlier run")
    list(record([work], in_order([recording], until=1), count().__next__))

    ended = curves("tiny", "--until", 3, "--rows", rows, "--tables", tmp_path / "tables")

    table = read(tmp_path / "tables" / "tiny.safetensors")
    assert ended.returncode == 0, ended.stderr
    assert "tiny: 1 of 310 rows are there" in ended.stdout
    assert [(curve.draw, curve.repeat) for curve in table.curves] == recording.rows[:3]
    assert [curve.config for curve in table.curves] == [
        recording.config(*row)[1].to_dict() for row in recording.rows[:3]
    ]
    assert [line.split(",")[0] for line in table.about.conditions] == [
        "`an earlier run`",
        "`python -m benchmarks.curves tiny`",
    ]
    assert "the first 3 of 310" in (tmp_path / "tables" / "README.md").read_text()


def test_a_data_set_that_is_not_named_is_asked_for_before_anything_starts(tmp_path):
    ended = curves("cifar", "--rows", tmp_path / "rows", SWEEP_TEST_CIFAR="")

    assert ended.returncode == 2
    assert "SWEEP_TEST_CIFAR must name the data set" in ended.stderr
    assert not (tmp_path / "rows").exists()
