import shutil
from pathlib import Path

import pytest

from sweep.analysis.predict import main as predict_main
from sweep.analysis.record import Record
from sweep.analysis.report.__main__ import main as report_main
from sweep.search.run import main as search_main
from sweep.storage import user_code
from sweep.trainable.loop import train
from tests.copies import ROOT
from tests.searched import command, here

WORDS = ("--trials", 2, "--max-epochs", 2, "--fix", "epochs=2")


@pytest.fixture
def own_file(tmp_path) -> Path:
    return Path(shutil.copy(ROOT / "examples/transform.py", tmp_path))


@pytest.fixture
def searched(own_file, tiny_data, tmp_path, monkeypatch, capfd) -> Path:
    """A sweep of two trials over the space of the example; what comes after it knows no more than a new process."""
    space, place = ("--space", f"{own_file}:suggest"), ("--data", tiny_data, "--sweep", tmp_path / "sweep")
    done = command(search_main, *space, *place, *WORDS, on=here(train))
    assert done.exit_code == 0, done.output
    assert capfd.readouterr().out.count("Speckle has no batched form: its pipeline runs image by image") == 1
    monkeypatch.setattr(user_code, "_files", {})
    return tmp_path / "sweep"


def test_a_sweep_trains_with_the_transform_and_keeps_the_hash_of_its_file(searched, own_file):
    record = Record(searched)

    assert [trial.state for trial in record.trials] == ["COMPLETE", "COMPLETE"]
    assert all(f"{own_file}:Speckle" in trial.config["pipeline"] for trial in record.trials)
    assert list(record.file.own) == [f"{own_file}:Speckle"]


def test_the_sweep_is_reported_and_predicts_without_the_file(searched):
    assert command(report_main, searched).exit_code == 0
    assert command(predict_main, searched, "--with", "best").exit_code == 0


def test_what_needs_the_file_runs_it_only_where_the_command_names_it(searched, own_file):
    refused = command(predict_main, searched, "--with", "best", "--tta")
    done = command(predict_main, searched, "--with", "best", "--tta", "--code", f"{own_file}:Speckle")

    assert refused.exit_code == 2
    assert f"add --code {own_file}:Speckle" in refused.output
    assert done.exit_code == 0, done.output


def test_the_sweep_does_not_go_on_with_another_file(searched, own_file, tiny_data):
    own_file.write_text(own_file.read_text().replace("share: float = 0.1", "share: float = 0.9"))

    again = command(
        search_main, "--space", f"{own_file}:suggest", "--data", tiny_data, "--sweep", searched, "--trials", 3
    )

    assert again.exit_code == 2
    assert "is not the file that the sweep began with" in again.output
