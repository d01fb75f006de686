"""Sweeps whose trials have a net for each fold, without Ray: the ledger, what is kept, and what is made of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from sweep.analysis.outputs.best import write_best
from sweep.analysis.outputs.predictor import best
from sweep.analysis.outputs.results import write_averaged
from sweep.analysis.outputs.tables import epochs_table, trials_table
from sweep.analysis.outputs.trained import trained as model_of
from sweep.analysis.record import Record
from sweep.datasets.folds import folded
from sweep.search.runtime import data as sweep_data
from sweep.storage import paths
from sweep.storage.states import State
from sweep.trainable import loop
from sweep.trainable.config import TrialConfig
from tests.trials import execute, fake_train, in_memory, open_bridge

DATA = in_memory(train=44, valid=0)
DATA = folded(replace(DATA, train=replace(DATA.train, digests=tuple(f"{row:064x}" for row in range(44)))), 4, 0)


def small_space(trial):
    lr = trial.suggest_float("lr", 0.01, 0.2, log=True)
    return TrialConfig(arch="mlp", width=0.1, lr=lr, epochs=3, batch_size=8, horizontal_flip=0.5)


def run(folder, trials=6, train=fake_train, **plan):
    bridge, _ = open_bridge(folder, trials, folds=DATA.folds, **plan)
    execute(bridge, DATA, train=train)
    sweep_data.save(folder, DATA, "accuracy")
    return Record(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run(tmp_path_factory.mktemp("sweep") / "sweep", 3, loop.train, function=small_space, pruner="none")


def test_a_trial_is_told_by_its_folds_and_its_value_is_their_mean(trained):
    for trial in trained.trials:
        bests = [max(epoch["valid_accuracy"] for epoch in net) for net in trial.nets]
        steps = trained.study.trials[trial.number].intermediate_values
        assert steps == pytest.approx({k: np.mean(bests[:k]) for k in range(1, 5)})
        assert trial.value == pytest.approx(np.mean(bests))
        assert (trial.folds, trial.epochs, trial.best_epoch) == (4, 12, 0)


def test_the_kept_predictions_are_out_of_fold(trained):
    for trial in trained.trials:
        right = trial.valid_logits.argmax(axis=1) == trained.valid_labels
        of_folds = [right[trained.folds == fold].mean() for fold in range(4)]
        assert np.mean(of_folds) == pytest.approx(trial.value)
        assert trial.valid_classes.shape == (3, 44)


def test_a_bad_config_dies_after_its_first_fold(tmp_path):
    record = run(tmp_path / "sweep", 12)
    pruned = [trial for trial in record.trials if trial.state == State.PRUNED]
    assert pruned
    assert {trial.folds for trial in pruned} <= {1, 2}
    assert 1 in {trial.folds for trial in pruned}
    for trial in pruned:
        assert {epoch["fold"] for epoch in trial.history} == set(range(1, trial.folds + 1))
        assert not (trial.folder / paths.VALID_LOGITS).exists()


def test_the_best_model_has_a_net_for_each_fold_and_says_their_mean(trained):
    model = write_best(trained)
    nets = model.nets
    assert len(nets) == 4
    images = DATA.train.images[:9]
    shares = best(trained.folder).probabilities(images)
    mean = np.mean([np.exp(net.log_probabilities(images, False)) for net in nets], axis=0)
    np.testing.assert_allclose(shares, mean, rtol=1e-5)
    module = model.module_on("cpu")
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.tensor(images)).softmax(1).numpy(), mean, rtol=1e-5)
    about = json.loads((trained.folder / "best" / "config.json").read_text())
    assert about["folds"] == 4


def test_predictions_averaged_over_flips_are_out_of_fold_too(trained):
    write_averaged(trained, DATA)
    trial = trained.best
    nets = model_of(trained, trial).nets
    for fold, net in enumerate(nets):
        rows = np.flatnonzero(DATA.folds == fold)
        logs = net.log_probabilities(DATA.train.images[rows], True)
        np.testing.assert_allclose(trial.valid_logits_tta[rows], logs, rtol=1e-4, atol=1e-5)


def test_the_tables_have_a_row_for_each_epoch_of_each_fold(trained):
    table = epochs_table(trained)
    assert len(table) == 3 * 4 * 3
    assert set(table["fold"]) == {1, 2, 3, 4}
    row = trials_table(trained).iloc[trained.best.number]
    assert row["valid_accuracy"] == pytest.approx(trained.best.value)
