"""What was ever published as a default stays: a sweep that began under it goes on under it.

The first fixture is a sweep of three trials by the version before default spaces had numbers, over the images that
`tiny_data` makes, without ImageNet weights at hand; `drawn.json` has the configs that it drew when it went on.

The second one is the ledger of ten trials by the version before trials were paused at their rungs, with faked training;
`ended.json` has how they and the next six ended under it: state, epochs, value and config.
"""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from optuna.samplers import TPESampler

from sweep.analysis.record import Record
from sweep.analysis.sweep_data import sweep_data
from sweep.datasets.listing_rules import LISTING_RULES
from sweep.datasets.load import load
from sweep.search.pruners import PRUNERS, new_pruner
from sweep.search.run import main as search_main
from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.retraining import Repeat
from sweep.search.runtime.settings import NEWEST_DEFAULTS, read_sweep
from sweep.search.runtime.start import Start
from sweep.search.runtime.sweep import _load_same, _open_bridge
from sweep.search.runtime.sweep_kinds import Search
from sweep.search.samplers import SAMPLERS, new_sampler
from sweep.search.spaces import SPACES
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError
from sweep.storage.sweep_file import Defaults, SweepFile
from sweep.trainable.config import ConfigError
from tests.datasets.test_zip_names import stored
from tests.searched import command
from tests.trees import image, with_class_folders, with_manifests, write
from tests.trials import execute, fake_train, in_memory, open_bridge

FIXTURE = Path(__file__).parents[1] / "fixtures" / "begun_under_default_1"
ENDS_AT_RUNGS = Path(__file__).parents[1] / "fixtures" / "begun_under_halving_2"


@pytest.fixture
def begun(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return Path(shutil.copytree(FIXTURE / "sweep", tmp_path / "sweep"))


def test_a_sweep_of_before_the_numbers_goes_on_under_the_first_of_each_default(begun, capsys):
    file = SweepFile.read(begun)
    sweep = Search(begun, replace(file.settings, trials=10), [])
    sweep.defaults = file.defaults
    assert sweep.changed(file) == []

    file.settings = sweep.settings
    ledger = Ledger(begun, file.id, "accuracy", new_pruner("halving", 1))
    with open(begun / "screen.txt", "w") as out:
        bridge = _open_bridge(sweep, file, ledger, Start("again"), out)
        execute(bridge, in_memory(60, 30), train=fake_train)

    drawn = {f"{trial.number:04}": trial.config for trial in Record(begun).trials}
    assert file.defaults == Defaults(1, 1, 1, 1, 1)
    assert drawn == json.loads((FIXTURE / "drawn.json").read_text())


@pytest.mark.ray
def test_the_command_of_before_the_numbers_goes_on_and_reports(begun, tiny_data, capfd):
    done = command(search_main, "--data", tiny_data, "--sweep", begun, "--trials", 5, "--max-epochs", 3)

    assert done.exit_code == 0, done.output
    assert "Goes on: 3 trials had ended" in capfd.readouterr().out
    assert (begun / "report.html").exists()
    assert len(Record(begun).trials) == 5
    assert SweepFile.read(begun).defaults == Defaults(1, 1, 1, 1, 1)


def test_a_sweep_whose_pruner_ends_trials_goes_on_so_and_pauses_none(tmp_path):
    begun = Path(shutil.copytree(ENDS_AT_RUNGS / "sweep", tmp_path / "sweep"))
    numbers = SweepFile.read(begun).defaults

    bridge, watcher = open_bridge(begun, 16, pruner_number=numbers.pruner, sampler_version=numbers.sampler)
    watcher.paused = lambda trial: pytest.fail(f"trial {trial.number} is paused")
    execute(bridge, in_memory(9, 9))

    ended = {
        f"{trial.number:04}": [trial.state, trial.epochs, trial.value, trial.config] for trial in Record(begun).trials
    }
    assert numbers.pruner == 2
    assert ended == json.loads((ENDS_AT_RUNGS / "ended.json").read_text())
    assert watcher.ordered == [(number, 1) for number in range(10, 16)]


@pytest.fixture
def on_growing_rules(begun, tmp_path) -> tuple[Path, Path, str]:
    """A sweep of before the numbers over class folders with one `.jfif`; its folder, its data and their fingerprint."""
    tree = with_class_folders()
    of_suffixes = load(write(tree, tmp_path / "plain")).fingerprint
    data = write(tree | {"train/a/2.jfif": image(99)}, tmp_path / "data")
    content = json.loads((begun / "sweep.json").read_text(encoding="utf-8"))
    options = {"image_size": None, "limit_train": None, "limit_valid": None}
    content |= {"data": str(data), "fingerprint": of_suffixes, "data_options": options}
    (begun / "sweep.json").write_text(json.dumps(content))
    return begun, data, of_suffixes


def test_a_sweep_of_before_the_numbers_goes_on_with_the_files_that_counted_then(on_growing_rules):
    folder, data, fingerprint = on_growing_rules
    file = SweepFile.read(folder)
    sweep = Search(folder, file.settings, [])
    sweep.defaults = file.defaults
    repeat = Repeat(folder, 1, 1, str(data))

    assert _load_same(sweep, file).fingerprint == fingerprint
    assert sweep_data(Record(folder)).fingerprint == fingerprint
    assert repeat.first_load().fingerprint == fingerprint
    assert repeat.load().fingerprint == fingerprint


def test_a_new_sweep_counts_what_the_newest_rules_count(on_growing_rules):
    folder, _, fingerprint = on_growing_rules
    data = Search(folder, SweepFile.read(folder).settings, []).load()

    assert "a/2.jfif" in data.train.ids
    assert data.fingerprint != fingerprint


def test_the_first_rules_know_images_by_suffix_and_take_names_as_they_are(tmp_path):
    more = ("train/a/scan", "train/a/scan.0012", "train/a/x.apng", "train/a/.x.png")
    tree = with_class_folders() | {name: image(90 + number) for number, name in enumerate(more)}
    tree |= {"train/O\u0308l/@eaDir.png": image(98), "train/O\u0308l/@eaDir/1.png": image(99)}

    data = load(write(tree, tmp_path / "data"), listing=1)

    assert data.classes == ("O\u0308l", "a", "b", "c")
    assert [name for name in data.train.ids if "train" not in name] == ["O\u0308l/@eaDir.png", "O\u0308l/@eaDir/1.png"]


def test_the_first_rules_take_the_names_of_an_archive_as_python_reads_them(tmp_path):
    tree = {name.replace("/a/", "/M\u00fcll/"): data for name, data in with_class_folders().items()}
    tree["train/d/readme.txt"] = b"a folder that no member names is none"
    path = stored(tree, tmp_path / "data.zip", str.encode)

    assert load(path, listing=1).classes == ("M\u251c\u255dll", "b", "c")


@pytest.mark.parametrize("other", ["masks", "aaa", ".aaa"])
def test_the_first_rules_take_the_fullest_folder_of_a_table_or_the_first(other, tmp_path):
    images = {name.replace("train+validation/", "images/"): data for name, data in with_manifests().items()}
    others = [name for name in images if "images/" in name]
    copies = {name.replace("images", other): image(90 + number) for number, name in enumerate(others)}
    first = {name.replace(other, "images"): data for name, data in copies.items()} if other < "images" else images

    data = load(write(images | copies, tmp_path / "data"), listing=1)

    assert data.fingerprint == load(write(images | first, tmp_path / "plain")).fingerprint


def test_the_newest_rules_are_asked_for_where_none_are_named(tmp_path):
    folder = write(with_class_folders() | {"train/a/2.jfif": image(99)}, tmp_path / "data")

    assert len(load(folder, listing=1).train.ids) + 1 == len(load(folder).train.ids)  # nor does the cache mix them up


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [(number, SweepError, "this version knows the {} 1 to {}, got") for number in (99, 0)]
    + [(text, DamagedError, "defaults.{2} must be a whole number, got") for text in (None, "2", True, [])],
)
@pytest.mark.parametrize(
    ("field", "name", "newest"),
    [
        ("listing", "listing rules", NEWEST_DEFAULTS.listing),
        ("decoder", "decoding recipes", NEWEST_DEFAULTS.decoder),
    ],
)
def test_a_sweep_of_rules_that_are_not_known_is_refused_where_it_is_read_only(
    number, error, message, field, name, newest, begun
):
    content = json.loads((begun / "sweep.json").read_text(encoding="utf-8")) | {
        "defaults": asdict(NEWEST_DEFAULTS) | {field: number}
    }
    (begun / "sweep.json").write_text(json.dumps(content))

    with pytest.raises(error, match=message.format(name, newest, field)):
        sweep_data(Record(begun))


def test_a_new_sweep_goes_on_under_the_newest_when_there_are_newer_ones(begun):
    file = SweepFile.read(begun)
    file.defaults = NEWEST_DEFAULTS
    file.write(begun)

    assert SweepFile.read(begun).defaults == NEWEST_DEFAULTS


def test_a_sweep_of_a_newer_version_is_refused_by_name(begun):
    content = json.loads((begun / "sweep.json").read_text(encoding="utf-8")) | {
        "defaults": asdict(NEWEST_DEFAULTS) | {"space": 99}
    }
    (begun / "sweep.json").write_text(json.dumps(content))

    with pytest.raises(
        ConfigError, match="begun by a newer version: its space has the number 99, this version knows 1 to"
    ):
        read_sweep(begun)


def test_the_first_sampler_is_the_grouped_estimator_that_sees_every_trial():
    assert isinstance(new_sampler("tpe", 0, 0, version=1), TPESampler)
    assert not isinstance(new_sampler("tpe", 0, 0, version=2), TPESampler)


def test_the_numbers_count_from_one_without_a_gap():
    for known, newest in (
        (sorted({number for _, number in SPACES}), "space"),
        (sorted({number for _, number in SAMPLERS}), "sampler"),
        (sorted({number for _, number in PRUNERS}), "pruner"),
        (LISTING_RULES, "listing"),
    ):
        assert list(known) == list(range(1, getattr(NEWEST_DEFAULTS, newest) + 1))
