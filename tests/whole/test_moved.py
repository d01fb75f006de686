"""What a sweep was run on counts, not where it lies: data, space and folder may move, and others are refused."""

import json
import os
import shlex
import shutil
import zipfile
from functools import partial
from pathlib import Path

import pytest

from sweep.analysis import export as analysis_export_module
from sweep.analysis import predict as analysis_predict_module
from sweep.analysis.commands import command_to_go_on, search_command
from sweep.analysis.outputs import export as analysis_outputs_export_module
from sweep.analysis.outputs.best import write_best
from sweep.analysis.record import Record
from sweep.datasets.file_tree import DATA_RULE
from sweep.search import refit as search_refit_module
from sweep.search import repeat as search_repeat_module
from sweep.search import run as search_run_module
from sweep.search.runtime import data as sweep_data
from sweep.storage.sweep_file import SweepFile
from tests import searched
from tests.damage import train
from tests.sweeps import MLP, SweepBuilder, noise

SPACE = """
from sweep.trainable.config import TrialConfig

def suggest(trial):
    return TrialConfig(arch="mlp", width=1.0, epochs=2, lr=trial.suggest_float("lr", 0.01, HIGH, log=True))
"""


command = partial(searched.command, on=searched.here(train))


@pytest.fixture(autouse=True)
def without_a_report(monkeypatch, tmp_path):
    """Makes no report, in a folder that has no data/."""
    monkeypatch.setattr(
        "sweep.search.runtime.sweep_kinds.Search.write_results", lambda sweep, data: write_best(Record(sweep.folder))
    )
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


def search_run(*words):
    return command(search_run_module.main, "--sweep", *words)


def recorded(sweep):
    return json.loads((sweep / "sweep.json").read_text())


@pytest.fixture
def finished(tiny_data, tmp_path):
    """A search of one trial that has ended."""
    words = ("--data", tiny_data, "--trials", 1, "--fix", "arch=mlp", "--fix", "epochs=2", "--no-baselines")
    result = search_run(tmp_path / "sweep", *words)
    assert result.exit_code == 0, result.output
    return tmp_path / "sweep"


def other_data(tiny_data, place):
    """The same images, one of them with another label."""
    shutil.copytree(tiny_data, place)
    table = (place / "train.txt").read_text()
    (place / "train.txt").write_text(table.replace("train00.png,0", "train00.png,1"))
    return place


def zipped(folder, place):
    with zipfile.ZipFile(place, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return place


def test_a_finished_sweep_does_not_answer_for_other_data(finished, tiny_data, tmp_path):
    before = recorded(finished)
    other = other_data(tiny_data, tmp_path / "other")

    result = search_run(finished, "--trials", 1, "--data", other)

    assert result.exit_code == 2
    assert "of this sweep ha" not in result.output
    assert f"{other}: not the images and labels that this sweep was started on" in result.output
    assert "1 difference:\n  train: `train00.png` has another label: was `0`, now `1`" in result.output
    assert f"lay last at {tiny_data}" in result.output
    assert recorded(finished) == before


def test_a_finished_sweep_does_not_answer_for_data_that_is_not_there(finished, tiny_data, tmp_path):
    result = search_run(finished, "--data", tmp_path / "nowhere")

    assert result.exit_code == 2
    assert f"{tmp_path / 'nowhere'}: {DATA_RULE}, got nothing there" in result.output
    assert f"lay last at {tiny_data}" in result.output


def test_a_finished_sweep_does_not_answer_for_another_data_folder_where_the_command_is_typed(finished, tiny_data):
    other_data(tiny_data, Path("data"))

    result = search_run(finished)

    assert result.exit_code == 2
    assert f"{Path('data').resolve()}: not the images and labels that this sweep was started on" in result.output
    assert search_run(finished, "--data", tiny_data).exit_code == 0


def test_the_command_that_is_printed_goes_on_with_the_sweeps_data_beside_another_data_folder(finished, tiny_data):
    other_data(tiny_data, Path("data"))

    words = shlex.split(search_command(Record(finished), "--trials", "2"))

    assert words[:3] == ["python", "-m", "search.run"]
    result = command(search_run_module.main, *words[3:])
    assert result.exit_code == 0, result.output
    assert len(Record(finished).trials) == 2


def test_the_command_that_is_printed_names_no_data_that_is_taken_without_it(finished, tiny_data, demo):
    assert "--data" in search_command(Record(finished))
    assert "--data" not in search_command(Record(demo))

    Path("data").symlink_to(tiny_data)

    assert "--data" not in search_command(Record(finished))
    assert search_command(Record(demo)).endswith(f"--data {demo / 'demo-images'}")
    result = command(search_run_module.main, *shlex.split(search_command(Record(demo), "--trials", "2"))[3:])
    assert result.exit_code == 0, result.output


OTHER_SETTINGS = {
    ("--image-size", "8"): "image_size: was None, now 8",
    ("--limit-train", "30"): "limit_train: was None, now 30",
    ("--limit-valid", "12"): "limit_valid: was None, now 12",
    ("--seed", "1"): "seed: was 0, now 1",
    ("--max-epochs", "9"): "max_epochs: was 30, now 9",
    ("--ledger", "postgresql://127.0.0.1:1/sweeps"): "the ledger of this sweep must be there, got postgresql",
}


def test_a_finished_sweep_refuses_every_other_setting(finished):
    for words, line in OTHER_SETTINGS.items():
        result = search_run(finished, *words)

        assert result.exit_code == 2, words
        assert line in result.output
        assert "of this sweep ha" not in result.output


def test_a_finished_sweep_with_its_own_settings_reads_no_data(finished, tiny_data, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tiny_data)
    monkeypatch.setattr(sweep_data, "load", lambda settings: pytest.fail("data was read"))

    for words in ((), ("--data", tiny_data), ("--data", os.path.relpath(tiny_data)), ("--data", tmp_path / "link")):
        result = search_run(finished, "--trials", 1, *words)

        assert result.exit_code == 0, result.output
        assert "of this sweep has ended" in result.output


@pytest.mark.parametrize("form", ["moved", "zipped"])
def test_the_same_data_in_another_place_is_the_sweeps_own_and_its_place_is_noted(
    finished, tiny_data, tmp_path, form, monkeypatch
):
    there = zipped(tiny_data, tmp_path / "there.zip") if form == "zipped" else tmp_path / "there"
    shutil.move(tiny_data, tmp_path / ("gone" if form == "zipped" else "there"))

    assert search_run(finished, "--data", there).exit_code == 0
    assert recorded(finished)["data"] == str(there)
    result = search_run(finished, "--trials", 2)  # which reads it there

    assert result.exit_code == 0, result.output
    assert len(Record(finished).trials) == 2


def test_a_sweep_whose_data_is_gone_asks_where_it_lies(finished, tiny_data, tmp_path):
    shutil.move(tiny_data, tmp_path / "there")

    result = search_run(finished, "--trials", 2)

    assert result.exit_code == 2
    assert f"{tiny_data}: the data of this sweep must be there, got nothing there" in result.output
    assert "name where it lies now with --data" in result.output
    assert search_run(finished, "--trials", 2, "--data", tmp_path / "there").exit_code == 0


@pytest.mark.parametrize("again", [search_repeat_module, search_refit_module], ids=["repeat", "refit"])
def test_a_finished_repeat_does_not_answer_for_other_data(finished, tiny_data, tmp_path, again):
    assert command(again.main, finished, "--seeds", 1).exit_code == 0
    other = other_data(tiny_data, tmp_path / "other")

    for place in (other, tmp_path / "nowhere"):
        result = command(again.main, finished, "--seeds", 1, "--data", place)

        assert result.exit_code == 2
        assert "of this sweep ha" not in result.output
        assert f"lay last at {tiny_data}" in result.output
    same = zipped(tiny_data, tmp_path / "same.zip")
    result = command(again.main, finished, "--seeds", 1, "--data", same)
    assert result.exit_code == 0, result.output
    assert recorded(finished / again.__name__.rpartition(".")[2])["data"] == str(same)


def test_predictions_and_exports_find_data_that_moved_by_its_fingerprint(finished, tiny_data, tmp_path, monkeypatch):
    def write_export(record, best, data, out):
        out.touch()
        return out, analysis_outputs_export_module.Checked(0.0, len(data.valid.ids))

    monkeypatch.setattr(analysis_outputs_export_module, "write_export", write_export)
    other = other_data(tiny_data, tmp_path / "other")
    there = zipped(tiny_data, tmp_path / "there.zip")
    shutil.rmtree(tiny_data)

    for main, name in (
        (analysis_predict_module.main, "predictions.csv"),
        (analysis_export_module.main, "model.onnx"),
    ):
        (finished / name).unlink(missing_ok=True)
        lost = command(main, finished)
        assert (lost.exit_code, "name where it lies now with --data" in lost.output) == (2, True)
        refused = command(main, finished, "--data", other)
        assert (refused.exit_code, "`train00.png` has another label" in refused.output) == (2, True)
        assert not (finished / name).exists()

        result = command(main, finished, "--data", there)

        assert result.exit_code == 0, result.output
        assert (finished / name).exists()


def test_data_of_the_sweep_and_images_of_ones_own_are_not_predicted_at_once(finished, tiny_data):
    result = command(analysis_predict_module.main, finished, "--data", tiny_data, "--images", tiny_data / "test")

    assert result.exit_code == 2
    assert "--data names the sweep's own data, --images others to predict" in result.output


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SPACE.replace("HIGH", "0.1"))
    return path


@pytest.fixture
def of_my_space(tiny_data, tmp_path, space):
    """A search of one trial, begun with a space of the user's by a relative path."""
    words = ("--data", tiny_data, "--trials", 1, "--space", f"{os.path.relpath(space)}:suggest", "--no-baselines")
    result = search_run(tmp_path / "sweep", *words)
    assert result.exit_code == 0, result.output
    return tmp_path / "sweep"


def test_a_space_goes_on_however_its_path_is_spelt(of_my_space, space, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for trials, place in enumerate(("mine.py", "./mine.py", space, "cwd/../mine.py"), start=2):
        result = search_run(of_my_space, "--trials", trials, "--space", f"{place}:suggest")

        assert result.exit_code == 0, result.output
    assert len(Record(of_my_space).trials) == 5


def test_a_space_that_moved_goes_on_and_its_new_place_is_noted(of_my_space, space, tmp_path):
    there = tmp_path / "elsewhere.py"
    there.write_text(space.read_text().replace("def suggest", "def mine"))
    space.unlink()

    result = search_run(of_my_space, "--trials", 2, "--space", f"{there}:mine")

    assert result.exit_code == 0, result.output
    assert recorded(of_my_space)["space"] == f"{there}:mine"


def test_a_space_with_another_table_is_refused_with_what_differs(of_my_space, space, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(SPACE.replace("HIGH", "0.2"))

    for trials in (1, 2):
        result = search_run(of_my_space, "--trials", trials, "--space", f"{other}:suggest")

        assert result.exit_code == 2
        assert f"space: was {space}:suggest, now {other}:suggest" in result.output
        assert "space, ranges, lr: was " in result.output
        assert '"high": 0.2' in result.output


def test_a_file_that_only_the_sweeps_folder_names_is_not_run(of_my_space, space, tmp_path):
    space.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n" + space.read_text())

    finished = search_run(of_my_space)
    more = search_run(of_my_space, "--trials", 2)

    assert finished.exit_code == 0, finished.output
    assert more.exit_code == 2
    assert f"add --space {space}:suggest, or its place by now" in more.output
    assert not (tmp_path / "ran").exists()
    assert search_run(of_my_space, "--trials", 2, "--space", f"{space}:suggest").exit_code == 0
    assert (tmp_path / "ran").exists()


def test_a_sweep_that_was_begun_before_places_were_absolute_goes_on(of_my_space, space):
    content = recorded(of_my_space)
    (of_my_space / "sweep.json").write_text(json.dumps(content | {"space": "mine.py:suggest"}))

    result = search_run(of_my_space, "--trials", 2, "--space", f"{space}:suggest")

    assert result.exit_code == 0, result.output


@pytest.fixture
def demo(tmp_path, monkeypatch, tiny_data):
    """A search of one trial over generated images; fewer than there are, so that it is quick."""
    monkeypatch.setattr(
        "sweep.datasets.demo.write_demo", lambda place: shutil.copytree(tiny_data, place, dirs_exist_ok=True)
    )
    result = search_run(tmp_path / "demo", "--trials", 1, "--fix", "arch=mlp", "--fix", "epochs=2", "--no-baselines")
    assert result.exit_code == 0, result.output
    return tmp_path / "demo"


@pytest.mark.parametrize("is_of_before", [False, True], ids=["now", "with the absolute path of before"])
def test_a_demo_sweep_that_moved_finds_its_images(demo, tmp_path, is_of_before):
    assert command(search_repeat_module.main, demo, "--top", 1, "--seeds", 1).exit_code == 0
    for folder in (demo, demo / "repeat"):
        assert recorded(folder)["data"] == "demo-images"
        if is_of_before:
            content = recorded(folder) | {"data": str(demo / "demo-images")}
            (folder / "sweep.json").write_text(json.dumps(content))
    moved = demo.rename(tmp_path / "moved")

    predicted = command(analysis_predict_module.main, moved)
    finished = search_run(moved)
    more = search_run(moved, "--trials", 2)
    again = command(search_repeat_module.main, moved, "--top", 1, "--seeds", 2)

    for result in (predicted, finished, more, again):
        assert result.exit_code == 0, result.output
    assert Record(moved / "repeat").settings.data == str(moved / "demo-images")
    assert recorded(moved)["data"] == "demo-images"


def test_generated_images_that_are_gone_are_generated_again(demo):
    shutil.rmtree(demo / "demo-images")

    result = search_run(demo, "--trials", 2)

    assert result.exit_code == 0, result.output


def test_the_command_that_goes_on_with_a_moved_sweep_names_its_new_places(tmp_path):
    sweep = SweepBuilder(tmp_path / "here" / "a sweep", noise(), data_path="/images")
    sweep.add(MLP, [9], "RUNNING")
    file = SweepFile.read(sweep.folder)
    file.settings.space = "/code/mine.py:suggest"
    typed = "python -m search.run --data images --sweep='a sweep' --space mine.py:suggest --trials 8"
    file.started(typed, sweep.folder)
    file.write(sweep.folder)
    assert command_to_go_on(sweep.record) == typed

    (tmp_path / "here").rename(tmp_path / "there")

    moved = tmp_path / "there" / "a sweep"
    assert shlex.split(command_to_go_on(Record(moved))) == [
        *("python", "-m", "search.run", "--data", "/images", "--sweep", str(moved)),
        *("--space", "/code/mine.py:suggest", "--trials", "8"),
    ]


def test_the_command_that_goes_on_with_a_moved_repeat_names_its_search(demo, tmp_path):
    command(search_repeat_module.main, demo, "--top", 1, "--seeds", 1)
    file = SweepFile.read(demo / "repeat")
    file.started("python -m search.repeat demo --top 1", demo / "repeat")
    file.write(demo / "repeat")

    moved = demo.rename(tmp_path / "moved")

    assert command_to_go_on(Record(moved / "repeat")) == f"python -m search.repeat {moved} --top 1"
