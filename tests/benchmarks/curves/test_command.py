"""`make curves` records in processes of its own, and goes on where it ended."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.curves.recordings import RECORDINGS
from benchmarks.curves.table import read

ROOT = Path(__file__).resolve().parents[3]


def curves(*words, **environment):
    command = [sys.executable, "-m", "benchmarks.curves", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_the_command_records_a_portion_and_goes_on_with_the_next(tiny_data, tmp_path):
    words = ["tiny", "--rows", tmp_path / "rows", "--tables", tmp_path / "tables"]

    first = curves(*words, "--until", 1, "--processes", 1, SWEEP_TEST_DATA=str(tiny_data))
    (row,) = tmp_path.glob("rows/tiny-*/*.safetensors")
    trained_at = row.stat().st_mtime_ns
    second = curves(*words, "--until", 3, SWEEP_TEST_DATA=str(tiny_data))

    table, recording = read(tmp_path / "tables" / "tiny.safetensors"), RECORDINGS[0]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "tiny: 0 of 310 rows" in first.stdout
    assert "tiny: 1 of 310 rows" in second.stdout
    configs = [recording.config(*row)[1].to_dict() for row in recording.rows[:3]]
    assert [(curve.draw, curve.repeat, curve.config) for curve in table.curves] == [
        (*row, config) for row, config in zip(recording.rows, configs, strict=False)
    ]
    assert row.stat().st_mtime_ns == trained_at


def test_a_data_set_that_is_not_named_is_asked_for_before_anything_starts(tmp_path):
    ended = curves("cifar", "--rows", tmp_path / "rows", SWEEP_TEST_CIFAR="")

    assert ended.returncode == 2
    assert "SWEEP_TEST_CIFAR must name the data set" in ended.stderr
    assert not (tmp_path / "rows").exists()
