"""The best config of a search trained on train + validation: no epoch is chosen, and nothing is measured."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from sweep.analysis.outputs.predictor import refit
from sweep.analysis.record import Record
from sweep.datasets.load import load
from sweep.search.refit import main
from sweep.search.runtime.retraining import Refit, joined
from sweep.storage.files import read_json
from sweep.storage.sweep_file import QueueEntry, SweepFile
from sweep.storage.tensors import read_tensors
from sweep.trainable import loop
from sweep.trainable.config import TrialConfig
from tests.conftest import TINY
from tests.damage import DATA, checked, train
from tests.searched import Killed, command, counted, data_is, here, killed_in, search_in
from tests.sweeps import SweepBuilder
from tests.trials import execute, open_bridge, outcome


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return search_in(tmp_path_factory.mktemp("ended") / "sweep")


@pytest.fixture
def search(ended, tmp_path, monkeypatch):
    data_is(monkeypatch)
    return shutil.copytree(ended, tmp_path / "sweep")


def test_it_trains_on_train_and_validation_and_measures_on_validation():
    both = joined(DATA)

    # Both splits have files of the same names.
    assert both.train.ids == tuple(
        f"{name}/{file}" for name, split in DATA.splits.items() if name != "test" for file in split.ids
    )
    np.testing.assert_array_equal(both.train.images, np.concatenate([DATA.train.images, DATA.valid.images]))
    np.testing.assert_array_equal(both.train.labels, np.concatenate([DATA.train.labels, DATA.valid.labels]))
    assert both.valid is DATA.valid
    assert both.fingerprint == DATA.fingerprint


def test_each_seed_sees_all_images_and_keeps_the_weights_of_its_last_epoch(search):
    last = {}

    def best_at_its_first_epoch(config, data, state):
        assert len(data.train.images) == len(data.train.labels) == len(DATA.train.images) + len(DATA.valid.images)
        for metrics in loop.train(config, data, state):
            state.valid_classes[-1] = (
                data.valid.labels.astype(np.uint8) if metrics.epoch == 1 else state.valid_classes[-1]
            )
            last[config.seed] = {name: value.clone() for name, value in state.model.state_dict().items()}
            yield metrics

    best = Record(search).best

    result = command(main, search, "--seeds", 2, on=here(best_at_its_first_epoch))

    assert result.exit_code == 0, result.output
    trials = Record(search / "refit").trials
    assert [trial.state for trial in trials] == ["COMPLETE"] * 2
    assert {trial.config["seed"] for trial in trials} == set(last)
    assert best.config["seed"] not in last
    for trial in trials:
        assert {**trial.config, "seed": 0} == {**best.config, "seed": 0}
        about, weights = read_tensors(trial.weights)
        assert int(about["epoch"]) == best.config["epochs"]
        assert all(torch.equal(weights[name], value) for name, value in last[trial.config["seed"]].items())
    assert len(refit(search).models) == 2


def test_nothing_that_looks_like_a_result_is_written_or_said(search):

    result = command(main, search, "--seeds", 1, on=here())

    for name in ("report.html", "report.md", "trials.csv", "trials.parquet", "epochs.parquet", "best"):
        assert not (search / "refit" / name).exists()
    assert not list((search / "refit").glob("predictions*"))
    number = Record(search).best.number
    assert result.output.endswith(
        f"trial {number} on train + validation, at its last epoch each: "
        f"`python -m analysis.predict {search} --with refit` predicts with them.\n"
    )
    assert "accuracy" not in result.output


def test_a_refit_whose_driver_is_gone_goes_on_by_the_same_command_to_the_same_weights(search, tmp_path, monkeypatch):
    undisturbed = shutil.copytree(search, tmp_path / "undisturbed")
    monkeypatch.setattr("sweep.trainable.worker.attempt.REPORT_SECONDS", 0.0)  # a checkpoint an epoch
    command(main, undisturbed, "--seeds", 2, on=here(loop.train))

    with pytest.raises(Killed):
        command(main, search, "--seeds", 2, on=here(killed_in(1, 2, loop.train)))
    result = command(main, search, "--seeds", 2, on=here(loop.train))

    assert result.exit_code == 0, result.output
    assert outcome(search / "refit") == outcome(undisturbed / "refit")
    for number in ("0000", "0001"):
        place = f"refit/trials/{number}/best.safetensors"
        assert (search / place).read_bytes() == (undisturbed / place).read_bytes()


def test_more_seeds_add_to_it_and_the_same_command_then_does_nothing(search):
    command(main, search, "--seeds", 1, on=here())
    training, configs = counted()

    assert command(main, search, "--seeds", 3, on=here(training)).exit_code == 0
    again = command(main, search, "--seeds", 3, on=here(training))

    assert len(configs) == 2
    assert "All 3 trials of this sweep have ended; --seeds with a larger number adds to them." in again.output


def test_a_refit_of_what_is_not_the_best_any_more_is_refused_and_stays(search):
    command(main, search, "--seeds", 1, on=here())
    old = Record(search).best.number
    before = {path: path.read_bytes() for path in (search / "refit").rglob("*.*") if path.is_file()}

    def all_right(config, data, state):
        for metrics in train(config, data, state):
            state.history[-1] = replace(metrics, valid_accuracy=1.0)
            yield state.history[-1]

    bridge, _ = open_bridge(search, 7, pruner="none", queue={6: QueueEntry({"lr": 0.1, "epochs": 3, "batch_size": 8})})
    execute(bridge, DATA, train=all_right)
    assert Record(search).best.number == 6

    result = command(main, search, "--seeds", 2, on=here())

    assert result.exit_code == 2
    assert f"best trial: was {old}, now 6\nMove {search / 'refit'} away, and this command begins anew." in result.output
    assert {path: path.read_bytes() for path in before} == before


def test_a_whole_refit_is_found_whole(search):
    command(main, search, "--seeds", 2, on=here())

    code, words = checked(search / "refit")

    assert code == 0, words
    assert "2 trials (2 COMPLETE), the weights of 2, results of 2" in words
    assert words.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: holds no sweep; `python -m search.run --sweep nowhere` starts one"),
        (["sweep", "--seeds", "0"], "0 is not in the range 1<=x<=10"),
        (["sweep", "--seeds", "11"], "11 is not in the range 1<=x<=10"),
    ],
)
def test_what_cannot_be_refit_is_refused_and_nothing_written(search, monkeypatch, words, message):
    monkeypatch.chdir(search.parent)

    result = command(main, *words)

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (search / "refit").exists()


def test_the_data_may_have_moved(search, tmp_path):
    assert Refit(search, 1, None).settings.data == SweepFile.read(search).settings.data
    assert Refit(search, 1, str(tmp_path / "there")).settings.data == str(tmp_path / "there")

    command(main, search, "--seeds", 1, "--data", tmp_path / "there", on=here())
    assert Refit(search, 1, None).settings.data == str(tmp_path / "there")


def test_the_best_config_is_trained_on_all_labelled_images(tiny_data, tmp_path):
    sweep = SweepBuilder(tmp_path / "sweep", load(tiny_data), data_path=str(tiny_data))
    sweep.add(TrialConfig(arch="mlp", width=1.0, epochs=2, lr=0.01, batch_size=8), [10, 12])
    counts = []

    def counting(config, data, state):
        counts.append((len(data.train.images), len(data.valid.images)))
        yield from loop.train(config, data, state)

    result = command(main, sweep.folder, "--seeds", 1, on=here(counting))

    assert result.exit_code == 0, result.output
    assert counts == [(TINY["train"] + TINY["validation"], TINY["validation"])]
    (trial,) = Record(sweep.folder / "refit").trials
    assert (trial.state, trial.best_epoch) == ("COMPLETE", 2)
    assert read_json(trial.folder / "config.json") == trial.config
    model = refit(sweep.folder)
    shares = model.probabilities(load(tiny_data).test.images)
    assert [model.classes[index] for index in shares.argmax(axis=1)] == [str(number % 3) for number in range(10)]
