"""What stays of a trial whose metric needs probabilities, and how a check and a reader take it."""

import os
import shutil

import numpy as np
import pytest

from sweep.analysis.record import Record
from sweep.datasets.fingerprint import data_table
from sweep.storage import paths
from sweep.storage.files import save_array
from sweep.trainable.metrics.contract import softmax
from tests.damage import DATA, checked, train
from tests.trials import WorkerDied, execute, open_bridge

METRIC = "log_loss"


def searched(folder, train=train):
    bridge, _ = open_bridge(folder, 6, metric=METRIC)
    (folder / "data.csv").write_bytes(data_table(DATA))
    save_array(folder / "valid_labels.npy", DATA.valid.labels)
    execute(bridge, DATA, train=train)
    return bridge.ledger


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    searched(folder)
    return folder


@pytest.fixture
def sweep(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "sweep")


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for number in range(6)
        for path in paths.epoch_logits(paths.trial_folder(folder, number)).values()
    }


def test_the_rungs_and_the_best_epochs_of_every_trial_are_kept(finished):
    record, rungs_of = Record(finished), open_bridge(finished, 6, metric=METRIC)[0].ledger.rungs
    assert {trial.state for trial in record.trials} >= {"COMPLETE", "PRUNED"}

    for trial in record.trials:
        if trial.state == "FAIL":
            continue
        kept, values = trial.kept_logits, [epoch["valid_loss"] for epoch in trial.history]
        rungs = {rung for rung in rungs_of(trial.config["epochs"]) if rung <= trial.epochs}
        assert set(kept) == {trial.best_epoch, *rungs, *(1 + np.argmin(values[:rung]) for rung in rungs)}
        for epoch, logits in kept.items():
            own = softmax(logits.astype(float))[np.arange(20), DATA.valid.labels]
            assert -np.log(own).mean() == pytest.approx(values[epoch - 1], rel=1e-3)


def test_a_worker_that_dies_changes_nothing_of_it(finished, tmp_path):
    died = set()

    def train_with_deaths(config, data, state):
        for metrics in train(config, data, state):
            yield metrics
            if metrics.epoch == 2 and config.seed not in died:
                died.add(config.seed)
                raise WorkerDied

    searched(tmp_path / "sweep", train_with_deaths)

    assert died
    assert contents(tmp_path / "sweep") == contents(finished)


def test_a_check_finds_them_whole(sweep):
    code, words = checked(sweep)

    assert (code, "foreign" in words) == (0, False), words


DAMAGES = {
    "cut": (lambda path: os.truncate(path, 100), "is no whole array"),
    "other numbers": (
        lambda path: np.save(path, -np.load(path)),
        "damaged: must be those of valid_classes.npy at epoch 1",
    ),
    "other images": (
        lambda path: np.save(path, np.load(path)[1:]),
        "damaged: must be float16 (20, 3), got float16 (19, 3)",
    ),
    "no numbers": (lambda path: np.save(path, np.load(path) * np.nan), "damaged: must be finite numbers"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_one_is_named_and_the_rest_goes_on_without_it(sweep, kind):
    damage, message = DAMAGES[kind]
    number = next(trial.number for trial in Record(sweep).trials if 1 in paths.epoch_logits(trial.folder))
    path = paths.trial_folder(sweep, number) / "valid_logits-0001.npy"
    damage(path)

    code, words = checked(sweep)
    repaired, _ = checked(sweep, must_repair=True)

    assert code == 2
    assert f"trials/{number:04}/valid_logits-0001.npy: {message}" in words
    assert "lost: its predictions at that epoch" in words
    assert repaired == 0
    assert not path.exists()
    assert checked(sweep)[0] == 0


def test_a_reader_leaves_a_trial_out_whose_predictions_are_damaged(sweep):
    number = next(trial.number for trial in Record(sweep).trials if 1 in paths.epoch_logits(trial.folder))
    np.save(paths.trial_folder(sweep, number) / "valid_logits-0001.npy", np.zeros((2, 3), np.float16))

    assert list(Record(sweep).damaged) == [number]
