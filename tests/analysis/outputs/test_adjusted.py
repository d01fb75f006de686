"""A threshold or a temperature goes with the model: into best/, predictions and the ONNX file with its card."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from sweep.analysis.estimates.adjustments import temperature
from sweep.analysis.estimates.adjustments.contract import Fitted
from sweep.analysis.estimates.choice import choose
from sweep.analysis.estimates.ensembles import ensembles
from sweep.analysis.outputs import predictor
from sweep.analysis.outputs.best import read_best, write_best
from sweep.analysis.outputs.export import write_export
from sweep.analysis.outputs.out_of_fold import Members, shares_of
from sweep.analysis.outputs.predict import write_predictions
from sweep.datasets.pixels.dataset import Split
from sweep.storage.files import DamagedError
from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import softmax
from tests.analysis.estimates.test_choice_adjusted import IMAGES, a_sweep, leaning
from tests.analysis.estimates.test_choice_simulated import Simulated

METRIC = named("log_loss")
LEANING = {"balanced_accuracy": (1.0, {"lean": 2.5}), "log_loss": (6.0, {"lean": 0.5})}


@pytest.fixture(params=LEANING)
def sweep(request, tmp_path):
    """A sweep of one trial, which is better with a threshold, or by the log loss with a temperature."""
    sure, how = LEANING[request.param]
    labels, logits = leaning(IMAGES, **how)
    sweep = a_sweep(tmp_path / "sweep", request.param, labels, sure * logits)
    write_best(sweep.record)
    return sweep


def pixels(images=20):
    return np.random.default_rng(0).integers(0, 256, (images, 3, 16, 16), dtype=np.uint8)


def unadjusted(sweep, images):
    return np.exp(read_best(sweep.folder).log_probabilities(images, False))


def test_best_keeps_what_the_corrected_estimate_is_better_with(sweep):
    chosen = choose(sweep.record).chosen
    assert chosen.fitted is not None
    assert read_best(sweep.folder).fitted == chosen.fitted
    assert read_best(sweep.folder).fitted_averaged is None
    assert predictor.best(sweep.folder).label == chosen.label == predictor.chosen(sweep.record).label


@pytest.mark.parametrize("wrong", [{"threshold": 2.0}, {"temperature": 0.0}, {"bias": 1.0}, {}, {"threshold": "x"}])
def test_an_adjustment_that_there_is_not_is_damage(sweep, wrong):
    path = sweep.folder / "best" / "config.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"adjusted": {"as it is": wrong}}))
    with pytest.raises(DamagedError):
        read_best(sweep.folder)


def test_a_predictor_labels_and_tells_probabilities_with_it(sweep, tmp_path):
    model, images = predictor.best(sweep.folder), pixels()
    shares, raw = model.probabilities(images), unadjusted(sweep, images)
    if model.fitted.kind.divides_logits:
        np.testing.assert_allclose(shares, softmax(np.log(raw) / model.fitted.number), atol=1e-6)
        np.testing.assert_array_equal(model.answers(shares), raw.argmax(axis=1))
    else:
        np.testing.assert_allclose(shares, raw, atol=1e-6)
        middle = replace(model, fitted=Fitted(model.fitted.kind, float(np.median(raw[:, 1]))))
        np.testing.assert_array_equal(middle.answers(shares), raw[:, 1] > middle.fitted.number)
        write_predictions(middle, Split(tuple(map(str, range(20))), images, None), None, tmp_path / "predictions.csv")
        rows = (tmp_path / "predictions.csv").read_text().split()[1:]
        assert [row.split(",")[1] for row in rows] == [
            middle.classes[k] for k in (raw[:, 1] > middle.fitted.number) * 1
        ]


def test_the_exported_file_has_it_and_its_card_says_how_to_use_it(sweep, tmp_path, monkeypatch, capsys):
    best, out = read_best(sweep.folder), tmp_path / "model.onnx"

    write_export(sweep.record, best, sweep.data, out)

    card, (name, number) = (tmp_path / "model-card.md").read_text(), *best.fitted.to_json().items()
    session = onnxruntime.InferenceSession(out)
    assert float(session.get_modelmeta().custom_metadata_map[name]) == number
    assert f"{number:.4f}" in card
    images = pixels()
    logits, shares = session.run(None, {"images": images})
    np.testing.assert_allclose(shares, softmax(logits / best.fitted.divisor), atol=1e-5)
    Image.fromarray(images[0].transpose(1, 2, 0)).save(tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"```python\n(.*?)```", card, re.DOTALL)[1], {})
    expected = best.classes[int(best.fitted.answers(shares[:1].astype(float))[0])]
    assert capsys.readouterr().out.startswith(expected)


def test_out_of_fold_no_image_is_scaled_by_a_temperature_that_it_was_fitted_to():
    labels, logits = leaning(60, lean=0.5)
    other, folds = labels.copy(), np.arange(60) % 3
    other[0] = 1 - labels[0]
    members = Members(((0, 1),), False, Fitted(temperature.ADJUSTMENT, 5.0))

    def shares(labels):
        trials = [Simulated(0, "net", 6 * logits)]
        return shares_of(
            SimpleNamespace(trials=trials, valid_labels=labels, folds=folds, ensembles=ensembles(3), metric=METRIC),
            members,
        )

    np.testing.assert_array_equal(shares(labels)[folds == 0], shares(other)[folds == 0])
    assert not np.isclose(shares(labels)[folds == 1], shares(other)[folds == 1]).all()
