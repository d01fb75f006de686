"""`make curves` records in processes of its own, and goes on where it ended."""

from click.testing import CliRunner

from benchmarks.curves import __main__ as command
from benchmarks.curves.recordings import RECORDINGS
from benchmarks.curves.table import read


def test_the_command_records_a_portion_and_goes_on_with_the_next(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEP_TEST_DATA", str(tiny_data))
    monkeypatch.setattr(command, "TABLES", tmp_path / "tables")
    words = ["tiny", "--folder", str(tmp_path / "rows")]

    first = CliRunner().invoke(command.main, [*words, "--until", "1", "--processes", "1"])
    (row,) = tmp_path.glob("rows/tiny-*/*.safetensors")
    trained_at = row.stat().st_mtime_ns
    second = CliRunner().invoke(command.main, [*words, "--until", "3"])

    table = read(tmp_path / "tables" / "tiny.safetensors")
    recording = RECORDINGS[0]
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "tiny: 0 of 310 rows" in first.output
    assert "tiny: 1 of 310 rows" in second.output
    assert [(curve.draw, curve.repeat) for curve in table.curves] == recording.rows[:3]
    assert [curve.config for curve in table.curves] == [
        recording.config(*row)[1].to_dict() for row in recording.rows[:3]
    ]
    assert row.stat().st_mtime_ns == trained_at


def test_a_data_set_that_is_not_named_is_asked_for_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.delenv("SWEEP_TEST_CIFAR", raising=False)

    result = CliRunner().invoke(command.main, ["cifar", "--folder", str(tmp_path / "rows")])

    assert result.exit_code == 2
    assert "SWEEP_TEST_CIFAR must name the data set" in result.output
