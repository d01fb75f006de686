"""A sweep that begins with the best configs of earlier ones: `--like`."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from sweep.analysis.record import Record
from sweep.datasets.folds import folded
from sweep.search.run import main
from sweep.search.runtime.likes import MOST, best_of, entries
from sweep.search.samplers import new_sampler
from sweep.search.spaces import suggest_of
from sweep.search.spaces.space import Space
from sweep.storage.sweep_file import SweepFile
from sweep.trainable.config import ConfigError
from tests.searched import command, here
from tests.sweeps import CNN, MLP, SweepBuilder, noise
from tests.trials import execute, fake_train, in_memory, open_bridge

FIXTURE = Path(__file__).parents[1] / "fixtures" / "begun_under_default_1" / "sweep"
HEAD = {"arch": "logistic_head", "backbone": "timm/tf_efficientnet_lite0", "epochs": 1, "stages": "-1", "penalty": 0.1}


def sweep_of(folder, *configs, classes=5):
    """A sweep over other data with other classes, whose configs are the better the later they come."""
    sweep = SweepBuilder(folder, noise(classes))
    for right, config in enumerate(configs):
        sweep.add(config, [right] * config.epochs, given={"arch": "mlp", "lr": 0.01})
    return str(folder)


def search(data, sweep, *words, trials=3):
    place = ("--data", data, "--sweep", sweep, "--space", "default", "--baselines", "none", "--trials", trials)
    return command(main, *place, *words, on=here(fake_train))


def queued(sweep):
    return [entry.like for entry in SweepFile.read(sweep).queue.values() if entry.like]


def in_default(*places, **fixed):
    return entries(Space(suggest_of("default"), fixed, 30), {place: best_of(place) for place in places})


def test_the_best_configs_of_earlier_sweeps_are_the_first_trials_and_take_turns(tiny_data, tmp_path):
    one = sweep_of(tmp_path / "one", MLP, replace(MLP, lr=0.02), replace(MLP, lr=0.03))
    two = sweep_of(tmp_path / "two", replace(MLP, width=2.0), classes=2)

    result = search(tiny_data, tmp_path / "new", "--like", one, "--like", two, "--max-epochs", 5)

    assert result.exit_code == 0, result.output
    assert queued(tmp_path / "new") == [
        f"trial 2 of {one}",
        f"trial 0 of {two}",
        f"trial 1 of {one}",
        f"trial 0 of {one}",
    ]
    configs = [trial.config for trial in Record(tmp_path / "new").trials]
    assert [(config["lr"], config["width"]) for config in configs] == [(0.03, 1.0), (0.01, 2.0), (0.02, 1.0)]
    assert {config["epochs"] for config in configs} == {5}  # no fewer than the space has
    notes = SweepFile.read(tmp_path / "new").notes
    assert f"3 configs of {one} come first (moved into the ranges here: epochs)." in notes


def test_the_same_command_goes_on_where_the_earlier_sweep_is_no_more(tiny_data, tmp_path):
    one, new = sweep_of(tmp_path / "one", MLP, CNN), tmp_path / "new"
    search(tiny_data, new, "--like", one, "--max-epochs", 5, trials=1)
    shutil.rmtree(one)

    again = search(tiny_data, new, "--like", f"{one}/", "--max-epochs", 5, trials=2)
    without = search(tiny_data, new, "--max-epochs", 5, trials=3)

    assert (again.exit_code, without.exit_code) == (0, 0), again.output + without.output
    assert [trial.config["arch"] for trial in Record(new).trials[:2]] == ["cnn", "mlp"]


def test_another_earlier_sweep_is_refused_with_the_difference(tiny_data, tmp_path):
    one, new = sweep_of(tmp_path / "one", MLP), tmp_path / "new"
    search(tiny_data, new, "--like", one, "--max-epochs", 5, trials=1)

    refused = search(tiny_data, new, "--like", tmp_path / "two", "--max-epochs", 5, trials=2)

    assert refused.exit_code == 2
    assert f"like: was {one}, now {tmp_path / 'two'}" in refused.output


def spoil_the_ledger(folder):
    path = folder / "journal.log"
    path.write_bytes(path.read_bytes().replace(b'"lr"', b'"lR"', 1))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "holds no sweep (no sweep.json)"),
        (lambda folder: (folder / "journal.log").unlink(), "has no trials yet"),
        (lambda folder: (folder / "sweep.json").write_text("[1"), "sweep.json"),
        (spoil_the_ledger, "journal.log"),
    ],
)
def test_one_that_is_damaged_is_refused_in_a_line_before_anything_is_written(spoil, message, tiny_data, tmp_path):
    one = sweep_of(tmp_path / "one", MLP)
    spoil(tmp_path / "one")

    refused = search(tiny_data, tmp_path / "new", "--like", one)

    assert refused.exit_code == 2
    (line,) = refused.output.splitlines()
    assert line.startswith(f"--like {one}: ")
    assert message in line
    assert not (tmp_path / "new" / "sweep.json").exists()


def sweep_of_one(folder, config):
    """A sweep of one trial, of which the ledger alone is there."""
    ledger = SweepBuilder(folder, noise()).ledger
    ledger.draw(new_sampler("random", 0, 0), lambda trial: MLP, {})
    number = ledger.add({"config": config, "attempt": 1})
    ledger.report(number, {1: 0.5})
    ledger.tell(number, TrialState.COMPLETE, 0.5)
    return str(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"arch": "mlp", "width": "wide"}, "`width` must be a number"),
        ({"arch": "mlp", "width": 1.0, "of_a_later_version": 1}, "of_a_later_version"),
        ({"arch": "nothing"}, "nothing"),
        (HEAD, "timm/tf_efficientnet_lite0|logistic_head"),  # its weights may be at hand, and the space has no heads
    ],
)
def test_one_whose_configs_cannot_be_here_is_refused_with_the_reason(config, message, tmp_path):
    one = sweep_of_one(tmp_path / "one", config)

    with pytest.raises(ConfigError, match=f"--like {one}: none of its configs has a place in this space .*({message})"):
        in_default(one)


def test_an_address_with_a_key_in_it_is_refused_and_not_repeated(tiny_data, tmp_path):
    refused = search(tiny_data, tmp_path / "new", "--like", "s3://c4nary-key@bucket/one")

    assert refused.exit_code == 2
    assert "--like: must be s3://BUCKET/PATH or gs://BUCKET/PATH, without keys and options" in refused.output
    assert "c4nary" not in refused.output


def test_one_in_which_no_trial_ran_to_its_end_is_refused(tmp_path):
    sweep = SweepBuilder(tmp_path / "one", noise())
    sweep.add(MLP, [3, 4], "PRUNED", reason="not among the best at its rung")

    with pytest.raises(ConfigError, match="none of its trials ran to its end"):
        best_of(str(tmp_path / "one"))


def test_of_a_sweep_so_many_come_and_none_twice(tmp_path):
    one = sweep_of(tmp_path / "one", *[replace(MLP, lr=0.001 * (1 + n // 2)) for n in range(24)])
    two = sweep_of(tmp_path / "two", replace(MLP, lr=0.012), CNN)

    first, notes = in_default(one, two)

    assert len(first) == MOST + 1
    assert len({json.dumps(entry.params) for entry in first}) == len(first)
    assert [entry.like for entry in first[:3]] == [f"trial 23 of {one}", f"trial 1 of {two}", f"trial 21 of {one}"]
    assert notes[0].startswith(f"{MOST} configs of {one} come first")


def test_what_does_not_go_over_is_named_once_for_each_sweep(tmp_path):
    one = sweep_of(tmp_path / "one", replace(CNN, cutout=0.3), replace(MLP, batch_size=2000), replace(MLP, clip=1.0))

    _, notes = in_default(one)

    assert notes == [
        f"3 configs of {one} come first (moved into the ranges here: batch_size, epochs; not taken over: clip, cutout)."
    ]


def test_a_sweep_of_an_older_space_and_one_in_folds_are_as_good_as_any(tmp_path):
    folds = folded(in_memory(), 4, 0)
    bridge, _ = open_bridge(tmp_path / "folds", 3, pruner="none", folds=folds.folds)
    execute(bridge, folds)

    first, _ = in_default(str(FIXTURE), str(tmp_path / "folds"))

    names = [entry.like.partition(" of ")[2] for entry in first]
    assert set(names) == {str(FIXTURE), str(tmp_path / "folds")}
    assert all("lr_multiple" in entry.params for entry in first)
