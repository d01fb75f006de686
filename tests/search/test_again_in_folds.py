"""The best configs of a search trained again in folds: a net for each, and what it says of images it never saw."""

import csv
import shutil

import numpy as np
import onnxruntime
import pytest

from sweep.analysis.outputs.export import to_onnx
from sweep.analysis.outputs.predictor import refit as predictor
from sweep.analysis.outputs.results import write_results
from sweep.analysis.record import Record
from sweep.analysis.report.status import status_text
from sweep.datasets.folds import folded
from sweep.search.checks.inspection import inspect_folder
from sweep.search.refit import main as refit
from sweep.search.repeat import main as repeat
from sweep.storage.files import read_json
from sweep.trainable.metrics.contract import softmax
from tests.damage import DATA, train
from tests.searched import Killed, command, data_is, here, search_in
from tests.trials import execute, open_bridge

TOTAL = len(DATA.train.ids) + len(DATA.valid.ids)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    return search_in(tmp_path_factory.mktemp("ended") / "sweep")


@pytest.fixture
def search(ended, tmp_path, monkeypatch):
    data_is(monkeypatch)
    return shutil.copytree(ended, tmp_path / "sweep")


def test_a_refit_in_folds_says_of_every_image_what_nets_that_never_saw_it_say(search):
    result = command(refit, search, "--folds", 4, "--seeds", 2, on=here())

    assert result.exit_code == 0, result.output
    record = Record(search / "refit")
    header, *rows = csv.reader((record.folder / "oof.csv").read_text().splitlines())
    assert header == ["id", "fold", "label", *(f"p({label})" for label in DATA.classes)]
    assert len({row[0] for row in rows}) == len(rows) == TOTAL
    assert [int(row[1]) for row in rows] == (record.folds + 1).tolist()
    shares = np.array([row[3:] for row in rows], float)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    found = [softmax(trial.valid_logits) for trial in record.trials]
    parts = record.ensembles.part(np.stack([each.T for each in found], axis=1))
    mean = record.ensembles.mean(parts, np.ones(2, int)).T
    np.testing.assert_allclose(shares, mean / mean.sum(axis=1, keepdims=True), atol=1e-5)
    assert "Each of the" in result.output
    assert "95 % interval" in result.output
    model = predictor(search)
    assert [len(each.nets) for each, _ in model.models] == [4, 4]
    header, *rows = csv.reader((record.folder / "test_probabilities.csv").read_text().splitlines())
    assert header == ["id", *(f"p({label})" for label in DATA.classes)]
    assert tuple(row[0] for row in rows) == DATA.test.ids
    of_test = predictor(search, is_averaged=True).probabilities(DATA.test.images)
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), of_test, atol=1e-6)
    pairs = zip(DATA.test.ids, of_test.argmax(axis=1), strict=True)
    answers = [f"{name},{DATA.classes[label]}" for name, label in pairs]
    assert (record.folder / "predictions.csv").read_text().splitlines() == ["id,label", *answers]
    assert not [str(finding) for finding in inspect_folder(record.folder).problems]


def test_the_onnx_file_of_a_refit_in_folds_says_what_its_nets_say_together(search):
    assert command(refit, search, "--folds", 3, "--seeds", 1, on=here()).exit_code == 0
    model = predictor(search)
    ((trained, _),) = model.models
    assert len(trained.nets) == 3

    session = onnxruntime.InferenceSession(to_onnx(trained, {}).SerializeToString())

    for images in (DATA.test.images, DATA.test.images[:1]):
        logits, shares = session.run(["logits", "probabilities"], {"images": images})
        np.testing.assert_allclose(logits, trained.log_probabilities(images, False), atol=1e-4)
        np.testing.assert_allclose(shares, model.probabilities(images), atol=1e-4)


def test_a_refit_killed_in_a_fold_goes_on_and_trains_no_finished_fold_again(search, tmp_path):
    unbroken = shutil.copytree(search, tmp_path / "unbroken")
    command(refit, unbroken, "--folds", 4, "--seeds", 1, on=here())
    seen = []

    def until_the_third_fold(config, data, state):
        for metrics in train(config, data, state):
            if state.fold == 3 and metrics.epoch == 2:
                raise Killed
            yield metrics

    def after(config, data, state):
        seen.append(state.fold)
        yield from train(config, data, state)

    with pytest.raises(Killed):
        command(refit, search, "--folds", 4, "--seeds", 1, on=here(until_the_third_fold))
    result = command(refit, search, "--folds", 4, "--seeds", 1, on=here(after))

    assert result.exit_code == 0, result.output
    assert seen == [3, 4]
    assert (search / "refit" / "oof.csv").read_bytes() == (unbroken / "refit" / "oof.csv").read_bytes()


def test_other_folds_of_a_refit_that_has_begun_are_refused_and_without_the_flag_it_goes_on_in_its_own(search):
    command(refit, search, "--folds", 4, "--seeds", 1, on=here())

    refused = command(refit, search, "--folds", 5, "--seeds", 1, on=here())
    assert refused.exit_code == 2
    assert "folds: was 4, now 5" in refused.output
    assert command(refit, search, "--seeds", 2, on=here()).exit_code == 0
    assert [trial.folds for trial in Record(search / "refit").trials] == [4, 4]


def test_a_repeat_in_folds_compares_configs_over_all_images(search):
    result = command(repeat, search, "--top", 2, "--seeds", 2, "--folds", 3, on=here())

    assert result.exit_code == 0, result.output
    record = Record(search / "repeat")
    assert [trial.folds for trial in record.trials] == [3] * 4
    assert len(record.valid_labels) == TOTAL
    assert "over 2 seeds" in result.output


@pytest.fixture(scope="module")
def in_folds(tmp_path_factory):
    from sweep.search.runtime import data as sweep_data

    data = folded(DATA, 4, 7)
    folder = tmp_path_factory.mktemp("folds") / "sweep"
    bridge, _ = open_bridge(folder, 6, folds=data.folds)
    sweep_data.save(folder, data, "accuracy")
    file = Record(folder).file
    file.fingerprint = data.fingerprint
    file.started("python -m search.run", folder)
    file.results_of = 6
    file.write(folder)
    execute(bridge, data, train=train)
    write_results(Record(folder), data)
    return folder, data


def test_all_that_is_made_of_a_search_in_folds_is_whole(in_folds):
    folder, data = in_folds
    record = Record(folder)
    for name in ("report.html", "report.md", "trials.csv", "epochs.parquet", "best", "oof.csv", "tensorboard"):
        assert (folder / name).exists(), name
    assert read_json(folder / "best" / "config.json")["folds"] == 4
    assert len((folder / "oof.csv").read_text().splitlines()) == 1 + len(data.folds)
    assert "over 4 folds" in status_text(folder)[0]
    assert [str(finding) for finding in inspect_folder(folder).problems] == []
    assert not record.damaged


def test_a_refit_of_a_search_in_folds_is_one_net_on_all_images_and_a_repeat_keeps_the_folds(
    in_folds, tmp_path, monkeypatch
):
    folder, data = in_folds
    search = shutil.copytree(folder, tmp_path / "sweep")
    data_is(monkeypatch, data)
    seen = []

    def noting(config, data, state):
        seen.append(len(data.train.images))
        yield from train(config, data, state)

    assert command(refit, search, "--seeds", 1, on=here(noting)).exit_code == 0
    assert seen == [len(data.folds)]
    assert command(repeat, search, "--top", 1, "--seeds", 1, on=here()).exit_code == 0
    assert Record(search / "repeat").trials[0].folds == 4


def test_what_is_damaged_of_a_search_in_folds_is_named_and_nothing_else(in_folds, tmp_path):
    folder, data = in_folds
    search = shutil.copytree(folder, tmp_path / "sweep")
    np.save(search / "folds.npy", np.roll(data.folds, 1))
    best = Record(search).best
    logits = np.load(best.folder / "valid_logits.npy")
    np.save(best.folder / "valid_logits.npy", -logits)

    problems = inspect_folder(search).problems

    assert [finding.place.name for finding in problems] == ["folds.npy", "valid_logits.npy"]
