import pytest

from analysis.predict import main as predict_main
from analysis.record import Record
from analysis.report.__main__ import main as report_main
from search.run import main as search_main
from storage import user_code
from tests.copies import ROOT
from tests.searched import command, without_ray
from trainable.loop import train

EXAMPLE = ROOT / "examples/transform.py"


@pytest.fixture
def searched(tiny_data, tmp_path, monkeypatch, capfd):
    """A sweep of two trials over the space of the example; what comes after it knows no more than a new process."""
    without_ray(monkeypatch, train=train, data=None)
    options = (
        "--data",
        tiny_data,
        "--sweep",
        tmp_path / "sweep",
        "--trials",
        2,
        "--max-epochs",
        2,
        "--fix",
        "epochs=2",
    )
    done = command(search_main, "--space", f"{EXAMPLE}:suggest", *options)
    assert done.exit_code == 0, done.output
    monkeypatch.setattr(user_code, "_files", {})
    assert capfd.readouterr().out.count("Speckle has no batched form: its pipeline runs image by image") == 1
    return tmp_path / "sweep"


def test_a_sweep_trains_with_the_transform(searched):
    trials = Record(searched).trials

    assert [trial.state for trial in trials] == ["COMPLETE", "COMPLETE"]
    assert all(f"{EXAMPLE}:Speckle" in trial.config["pipeline"] for trial in trials)


def test_the_sweep_is_reported_and_predicts_without_the_file(searched):
    assert command(report_main, searched).exit_code == 0
    assert command(predict_main, searched, "--with", "best").exit_code == 0


def test_what_needs_the_file_runs_it_only_where_the_command_names_it(searched):
    refused = command(predict_main, searched, "--with", "best", "--tta")

    assert refused.exit_code == 2
    assert f"add --code {EXAMPLE}:Speckle" in refused.output
