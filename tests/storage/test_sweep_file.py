"""`sweep.json` is one schema: what is written is read, old files are read, and what is wrong is named."""

import json
import shutil
from pathlib import Path

import pytest

from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError
from sweep.storage.sweep_file import (
    DataOptions,
    Defaults,
    Memory,
    Parent,
    QueueEntry,
    Settings,
    StartEntry,
    SweepFile,
)

FIXTURE = Path(__file__).parents[1] / "fixtures" / "begun_under_default_1" / "sweep" / "sweep.json"
VALUES = "data trials max_epochs seed metric space fixed baselines sampler pruner ledger data_options table fingerprint"
VALUES += " classes image_size queue notes id versions commit starts results_of defaults memory kind parent own pace"


def a_search() -> SweepFile:
    options = DataOptions(12, None, 30)
    settings = Settings("/data", 50, 30, 0, "accuracy", None, {"lr": 0.1}, "auto", "tpe", "halving", "", options)
    queue = {3: QueueEntry({"lr": 0.1}, "mlp")}
    table = {"ranges": {"lr": ["0.1"]}}
    return SweepFile(settings, table, "f", ["a", "b"], [16, 12], queue, ["note"], "0123", defaults=Defaults(2, 2))


def a_refit() -> SweepFile:
    file = a_search()
    file.queue = {0: QueueEntry({}, "", {"arch": "mlp"}, 7, 0.5, 1)}
    file.kind, file.parent, file.memory = "refit", Parent("4567", 7), Memory(10, 0, False)
    return file


def written(file: SweepFile, folder: Path) -> dict:
    file.write(folder)
    return json.loads((folder / "sweep.json").read_text())


@pytest.mark.parametrize("file", [a_search(), a_refit()], ids=["search", "refit"])
def test_what_is_written_is_read(file, tmp_path):
    file.started("python -m search.run", tmp_path)
    file.write(tmp_path)

    assert SweepFile.read(tmp_path) == file


def test_a_search_has_these_values_in_this_order(tmp_path):
    content = written(a_search(), tmp_path)

    assert list(content) == VALUES.split()
    assert content["data_options"] == {"image_size": 12, "limit_valid": 30}
    assert content["queue"] == {"3": {"params": {"lr": 0.1}, "baseline": "mlp"}}
    assert content["defaults"] == {"space": 2, "sampler": 2, "pruner": 1, "decoder": 1, "listing": 1, "ensemble": 1}
    assert (content["memory"], content["parent"]) == ({}, {})


def test_a_refit_says_what_it_is_of(tmp_path):
    content = written(a_refit(), tmp_path)

    about = {"params": {}, "baseline": "", "config": {"arch": "mlp"}, "trial": 7, "value": 0.5, "nth_seed": 1}
    assert content["queue"] == {"0": about}
    assert content["parent"] == {"sweep": "4567", "best trial": 7}
    assert content["memory"] == {"worker": 10, "gpu": 0, "on_gpu": False}


def test_a_start_is_noted_with_what_ran_it_and_where(tmp_path):
    file = a_search()
    file.started("python -m search.run", tmp_path)

    (start,) = written(file, tmp_path)["starts"]

    assert list(start) == ["time", "versions", "commit", "command", "folder", "stopped"]
    assert (start["command"], start["folder"], start["stopped"]) == ("python -m search.run", str(tmp_path), "")
    assert start["versions"] == file.versions
    assert "torch" in file.versions


def test_a_file_of_before_the_numbers_is_read_and_goes_on_as_it_was(tmp_path):
    shutil.copy(FIXTURE, tmp_path)

    file = SweepFile.read(tmp_path)
    again = written(file, tmp_path)

    assert file.defaults == Defaults(1, 1, 1, 1, 1)
    assert (file.settings.baselines, file.memory, file.parent) == ("published", None, None)
    assert file.starts[0].folder is None
    before = json.loads(FIXTURE.read_text())
    changed = {name for name in again if again[name] != before.get(name)}
    assert changed == {"baselines", "data_options", "defaults", "memory", "own", "pace"}
    assert file.settings.data_options == DataOptions()
    assert again["starts"] == before["starts"]


@pytest.mark.parametrize(
    "name", ["defaults", "memory", "kind", "parent", "results_of", "starts", "commit", "versions", "own"]
)
def test_what_older_files_lack_has_its_first_value(name, tmp_path):
    content = written(a_search(), tmp_path)
    del content[name]
    (tmp_path / "sweep.json").write_text(json.dumps(content))

    assert vars(SweepFile.read(tmp_path))[name] in ({}, [], "", 0, None, "search", Defaults())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": True}, "seed must be a whole number of at least 0, got true"),
        ({"trials": "50"}, 'trials must be a whole number above 0, got "50"'),
        ({"data": None}, "data must be a text, got null"),
        ({"baselines": "some"}, 'baselines must be one of auto, published, none, got "some"'),
        ({"kind": "other"}, 'kind must be one of search, repeat, refit, got "other"'),
        ({"classes": 5}, "classes must be a list of different names, got 5"),
        ({"classes": ["a", "a"]}, 'classes must be a list of different names, got ["a", "a"]'),
        ({"classes": ["a", 7]}, "classes[1] must be a text, got 7"),
        ({"image_size": [16]}, "image_size must be height and width, each above 0, got [16]"),
        ({"data_options": {"fit": "cut"}}, 'data_options.fit must be one of crop, pad, stretch, got "cut"'),
        ({"queue": [1]}, "queue must be an object, got [1]"),
        ({"queue": {"x": {"params": {}}}}, 'each name in queue must be a whole number, got "x"'),
        ({"queue": {"9" * 5000: {}}}, f'each name in queue must be a whole number, got "{"9" * 39}'),
        ({"queue": {"3": {}}}, "queue.3 lacks params"),
        ({"queue": {"3": {"params": {}, "nth_seed": 0}}}, "queue.3.nth_seed must be a whole number above 0, got 0"),
        ({"starts": [{"time": "now"}]}, 'starts[0].time must be a date and a time, YYYY-MM-DD HH:MM:SS, got "now"'),
        ({"memory": {"worker": 1}}, "memory lacks gpu, on_gpu"),
        ({"parent": {"sweep": 5}}, "parent.sweep must be a text, got 5"),
        ({"depth": 3, "width": 4}, "has depth, width, which this version does not know"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_its_rule(changes, message, tmp_path):
    content = written(a_search(), tmp_path) | changes
    (tmp_path / "sweep.json").write_text(json.dumps(content))

    with pytest.raises(DamagedError) as error:
        SweepFile.read(tmp_path)

    assert str(error.value) == f"{tmp_path}/sweep.json: {message}; restore it from a backup"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"sweep\.json:1: is not JSON"),
        ("{", r"sweep\.json:1: is not JSON"),
        ("{}", r"sweep\.json: lacks data, trials, max_epochs"),
        ("[]", r"sweep\.json: must be an object, got \[\]"),
        ('{"id": 3}', r"sweep\.json: lacks data"),
    ],
)
def test_a_file_that_is_none_is_an_error_that_names_it(text, message, tmp_path):
    (tmp_path / "sweep.json").write_text(text)

    with pytest.raises(DamagedError, match=message):
        SweepFile.read(tmp_path)


def test_a_folder_without_the_file_holds_no_sweep(tmp_path):
    with pytest.raises(SweepError, match="holds no sweep"):
        SweepFile.read(tmp_path)


def test_a_start_that_says_nothing_but_its_time_is_read(tmp_path):
    content = written(a_search(), tmp_path) | {"starts": [{"time": "2026-11-27 21:25:33"}]}
    (tmp_path / "sweep.json").write_text(json.dumps(content))

    assert SweepFile.read(tmp_path).starts == [StartEntry("2026-11-27 21:25:33")]
