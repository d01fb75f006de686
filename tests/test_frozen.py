"""What was ever published as a default stays: a sweep that began under it goes on under it.

The fixture is a sweep of three trials by the version before default spaces had numbers, over the images that
`tiny_data` makes, without ImageNet weights at hand; `drawn.json` has the configs that it drew when it went on.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.samplers import TPESampler

from analysis.record import Record
from search.kinds import Search
from search.ledger import Ledger
from search.pruners import PRUNERS, new_pruner
from search.run import main as search_main
from search.samplers import SAMPLERS, new_sampler
from search.settings import FIRST_DEFAULTS, NEWEST_DEFAULTS, SweepFile
from search.space import Space
from search.spaces import DEFAULT_SPACES
from search.sweep import Start, _opened
from tests.searched import command
from tests.trials import execute, fake_train, in_memory
from trainable.config import ConfigError

FIXTURE = Path(__file__).parent / "fixtures" / "begun_under_default_1"


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
        bridge, _ = _opened(sweep, file, ledger, Start("again"), out)
        execute(bridge, in_memory(60, 30), train=fake_train)

    drawn = {f"{trial.number:04}": trial.config for trial in Record(begun).trials}
    assert file.defaults == FIRST_DEFAULTS
    assert drawn == json.loads((FIXTURE / "drawn.json").read_text())


@pytest.mark.ray
def test_the_command_of_before_the_numbers_goes_on_and_reports(begun, tiny_data, capfd):
    done = command(search_main, "--data", tiny_data, "--sweep", begun, "--trials", 5, "--max-epochs", 3)

    assert done.exit_code == 0, done.output
    assert "Goes on: 3 trials had ended" in capfd.readouterr().out
    assert (begun / "report.html").exists()
    assert len(Record(begun).trials) == 5
    assert SweepFile.read(begun).defaults == FIRST_DEFAULTS


def test_a_new_sweep_goes_on_under_the_newest_when_there_are_newer_ones(begun):
    file = SweepFile.read(begun)
    file.defaults = dict(NEWEST_DEFAULTS)
    file.write(begun)

    assert SweepFile.read(begun).defaults == NEWEST_DEFAULTS


def test_a_sweep_of_a_newer_version_is_refused_by_name(begun):
    content = json.loads((begun / "sweep.json").read_text()) | {"defaults": NEWEST_DEFAULTS | {"space": 99}}
    (begun / "sweep.json").write_text(json.dumps(content))

    with pytest.raises(
        ConfigError, match="begun by a newer version: its space has the number 99, this version knows 1 to"
    ):
        SweepFile.read(begun)


def test_the_first_sampler_is_the_grouped_estimator_that_sees_every_trial():
    assert type(new_sampler("tpe", 0, 0, version=1)) is TPESampler


def test_the_numbers_count_from_one_without_a_gap():
    for known, newest in ((DEFAULT_SPACES, "space"), (SAMPLERS, "sampler"), (PRUNERS, "pruner")):
        assert list(known) == list(range(1, NEWEST_DEFAULTS[newest] + 1))


@pytest.mark.parametrize("number", DEFAULT_SPACES)
def test_every_default_space_is_trainable_at_its_corners(number):
    assert Space(DEFAULT_SPACES[number].suggest, {}, 30).table()["ranges"]
