"""Predictions with a decision threshold or a temperature, as ways to predict beside the others."""

from dataclasses import replace

import numpy as np
import pytest

from sweep.analysis.estimates import choice
from sweep.analysis.estimates.adjustments import temperature, threshold
from sweep.analysis.estimates.adjustments.out_of_fold import out_of_fold
from sweep.analysis.estimates.choice import choose
from sweep.analysis.estimates.count_scores import CountScores
from sweep.analysis.estimates.ensembles import ensembles
from sweep.analysis.estimates.mean_scores import MeanScores
from sweep.datasets.pixels.dataset import Split
from sweep.storage.paths import trial_folder
from sweep.storage.sweep_file import SweepFile
from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import softmax
from tests.analysis.estimates.test_choice_simulated import Simulated, SimulatedSweep
from tests.sweeps import MLP, SweepBuilder, noise

IMAGES, SWEEPS, TRUTH = 300, 24, 20_000


def leaning(images, seed=0, lean=2.5):
    """Labels, of which a fifth are of the second class, and logits that lean to the first one."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(images) < 0.2).astype(int)
    second = 2 * labels - lean + rng.normal(size=images)
    return labels, np.stack([np.zeros(images), second], axis=1).astype(np.float32)


def a_sweep(folder, metric, labels, *logits):
    """A sweep by a metric with a trial for each of the logits."""
    made, images = noise(), np.zeros((len(labels), 3, 16, 16), np.uint8)
    valid = Split(tuple(f"v{number}.png" for number in range(len(labels))), images, labels)
    classes = made.classes[: logits[0].shape[1]]
    train = replace(made.train, labels=made.train.truth % len(classes))
    sweep = SweepBuilder(folder, replace(made, train=train, valid=valid, classes=classes), metric=metric)
    for each in logits:
        kept = trial_folder(sweep.folder, sweep.add(MLP, [len(labels) // 2]))
        np.save(kept / "valid_logits.npy", each)
        np.save(kept / "valid_classes.npy", each.argmax(axis=1)[None].astype(np.uint8))
    return sweep


def test_a_threshold_is_chosen_where_the_metric_is_better_with_it(tmp_path):
    found = choose(a_sweep(tmp_path / "sweep", "balanced_accuracy", *leaning(IMAGES)).record)

    chosen = found.chosen
    assert chosen.fitted.kind.name == "threshold"
    assert chosen.fitted.number < 0.4
    assert chosen.gain > 0.05
    assert chosen.gain_low > 0
    assert f"trial 0 with a threshold of {chosen.fitted.number:.3g} is best" in found.comparison
    assert found.best.fitted is None


def test_what_a_threshold_brings_is_worth_less_than_it_seems_on_the_images_that_it_was_fitted_to(tmp_path):
    labels, logits = leaning(60)
    as_it_is, with_one = choose(a_sweep(tmp_path / "sweep", "balanced_accuracy", labels, logits).record).options
    assert with_one.gain < with_one.raw - as_it_is.raw


def test_predictions_that_say_nothing_are_left_without_a_threshold(tmp_path):
    labels = np.arange(IMAGES) % 2
    logits = np.random.default_rng(3).normal(size=(IMAGES, 2)).astype(np.float32)
    assert len(choose(a_sweep(tmp_path / "sweep", "accuracy", labels, 0.01 * logits).record).options) == 1


def test_a_temperature_that_gains_next_to_nothing_is_not_taken(tmp_path):
    labels, logits = leaning(IMAGES, lean=0.5)
    fitted = temperature.fit(None, labels, softmax(logits).T, np.ones(IMAGES))
    almost = 1.02 * logits / np.float32(fitted)

    assert temperature.fit(None, labels, softmax(almost).T, np.ones(IMAGES)) == pytest.approx(1.02)
    assert len(choose(a_sweep(tmp_path / "sweep", "log_loss", labels, almost).record).options) == 1


def test_in_a_draw_a_threshold_is_taken_by_the_rule_for_all_images(tmp_path):
    labels, logits = leaning(IMAGES)
    record = a_sweep(tmp_path / "sweep", "balanced_accuracy", labels, logits).record
    tried = out_of_fold(record, threshold.ADJUSTMENT)
    draw = np.zeros(IMAGES)
    draw[[*np.flatnonzero(labels == 0)[:30], *np.flatnonzero(labels == 1)[:2]]] = 1  # too few to tell

    assert tried.fitted(softmax(logits).T, np.ones(IMAGES)) is not None
    assert tried.fitted(softmax(logits).T, draw) is None


def test_more_classes_than_two_have_no_threshold(tmp_path):
    labels = np.arange(IMAGES) % 3
    logits = np.random.default_rng(0).normal(size=(IMAGES, 3)).astype(np.float32)
    assert len(choose(a_sweep(tmp_path / "sweep", "accuracy", labels, logits).record).options) == 1


def test_by_the_log_loss_predictions_that_are_too_sure_get_a_temperature(tmp_path):
    labels, logits = leaning(IMAGES, lean=0.5)

    found = choose(a_sweep(tmp_path / "sweep", "log_loss", labels, 6 * logits).record)

    assert found.chosen.fitted.kind.name == "temperature"
    assert found.chosen.fitted.number > 1.5
    assert found.chosen.gain_low > 0
    assert found.chosen.raw < found.best.raw


def test_an_ensemble_and_the_best_trial_stand_there_with_and_without(tmp_path):
    labels, first = leaning(IMAGES)
    second = first + np.random.default_rng(5).normal(size=first.shape).astype(np.float32)

    options = choose(a_sweep(tmp_path / "sweep", "balanced_accuracy", labels, first, second).record).options

    kinds = [(option.is_ensemble, option.fitted is not None) for option in options]
    assert kinds[:2] == [(False, False), (False, True)]
    assert kinds[2:] in ([], [(True, False), (True, True)])


def test_a_sweep_that_began_before_there_were_thresholds_goes_on_without(tmp_path):
    sweep = a_sweep(tmp_path / "sweep", "balanced_accuracy", *leaning(IMAGES))
    file = SweepFile.read(sweep.folder)
    file.defaults = replace(file.defaults, ensemble=2)
    file.write(sweep.folder)
    assert len(choose(sweep.record).options) == 1


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "log_loss"])
@pytest.mark.parametrize("images", [1, 2, 3])
def test_a_handful_of_images_can_be_adjusted_or_not_but_has_a_choice(tmp_path, metric, images):
    labels, logits = np.arange(images) % 2, np.float32([[1, 0], [0.5, 0], [0.2, 0]])[:images]
    found = choose(a_sweep(tmp_path / "sweep", metric, labels, logits).record)
    assert all(np.isfinite(option.corrected) for option in found.options)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "log_loss"])
def test_corrected_for_being_fitted_a_way_to_predict_is_worth_what_it_turns_out_to_be(metric, monkeypatch):
    monkeypatch.setattr(choice, "COMPARED_DRAWS", 40)
    for kind in (MeanScores, CountScores):
        monkeypatch.setattr(kind, "most_draws", 40)
    apart, taken = [], 0
    for seed in range(SWEEPS):
        labels, logits = leaning(100, seed, lean=0.5 if metric == "log_loss" else 2.5)
        trial = Simulated(0, "net", 3 * logits)
        sweep = SimulatedSweep([trial], labels, named(metric), ("a", "b"), ensembles=ensembles(3))
        option = choose(sweep).options[-1]  # adjusted where that gained enough
        taken += option.fitted is not None
        of_all, fresh = leaning(TRUTH, 1000 + seed, lean=0.5 if metric == "log_loss" else 2.5)
        shares = np.exp(3 * fresh) / np.exp(3 * fresh).sum(axis=1, keepdims=True)
        said = option.fitted.scored(option.fitted.output(shares)) if option.fitted else shares
        truth = sweep.metric.value(of_all, np.log(said))
        apart.append((option.corrected - truth, option.raw - truth))
    corrected, raw = sweep.metric.sign * np.mean(apart, axis=0)
    error = np.std([pair[0] for pair in apart], ddof=1) / np.sqrt(SWEEPS)
    assert taken > SWEEPS / 2
    assert abs(corrected) < 2 * error
    assert raw > corrected
