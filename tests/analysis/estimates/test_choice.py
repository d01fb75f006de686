"""What to predict with, on sweeps whose kept predictions are made by hand."""

import re
from dataclasses import replace

import numpy as np
import pytest

from sweep.analysis.estimates.choice import choose
from sweep.analysis.outputs.results import write_averaged
from sweep.analysis.report.contents import caution
from sweep.datasets.pixels.dataset import Split
from sweep.storage.paths import AVERAGED_LOGITS, trial_folder
from sweep.storage.text import counted
from tests.sweeps import CNN, MLP, SweepBuilder, noise

IMAGES = 300


@pytest.fixture(scope="module")
def data():
    """Three classes of random pixels, 300 of them for validation."""
    made = noise()
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (IMAGES, 3, 16, 16), dtype=np.uint8)
    return replace(made, valid=Split(tuple(f"v{i}.png" for i in range(IMAGES)), images, np.arange(IMAGES) % 3))


def with_logits(sweep, config, right, sure=3.0):
    """A trial that has these validation images right at its only epoch; returns its number."""
    labels, classes = sweep.data.valid.labels, len(sweep.data.classes)
    number = sweep.add(config, [int(right.sum())])
    predicted = np.where(right, labels, (labels + 1) % classes)
    folder = trial_folder(sweep.folder, number)
    np.save(folder / "valid_classes.npy", predicted[None].astype(np.uint8))
    np.save(folder / "valid_logits.npy", np.float32(sure) * np.eye(classes, dtype=np.float32)[predicted])
    return number


def first_images(data, count):
    """The data with only so many validation images."""
    valid = data.valid
    return replace(data, valid=Split(valid.ids[:count], valid.images[:count], valid.labels[:count]))


def independent(rng, share):
    return rng.random(IMAGES) < share


def test_a_sweep_without_a_complete_trial_has_no_choice(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    sweep.add(MLP, [100], "PRUNED")
    assert choose(sweep.record) is None


def test_the_only_trial_is_chosen_and_nothing_is_compared(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    number = with_logits(sweep, MLP, np.arange(IMAGES) < 240)
    choice = choose(sweep.record)
    assert [option.members for option in choice.options] == [((number, 1),)]
    assert choice.chosen is choice.best
    assert choice.best.raw == 0.8
    assert choice.best.corrected == pytest.approx(0.8, abs=0.005)
    assert "nothing better to predict with yet" in choice.comparison


@pytest.mark.parametrize(
    ("images", "right", "low", "high"),
    [(1, 1, "2.5 %", "100.0 %"), (2, 2, "15.8 %", "100.0 %"), (5, 0, "0.0 %", "52.2 %"), (60, 60, "94.0 %", "100.0 %")],
)
def test_few_images_have_a_wide_interval_and_the_sentence_says_that_they_are_too_few(
    tmp_path, data, images, right, low, high
):
    few = replace(
        data.valid, ids=data.valid.ids[:images], images=data.valid.images[:images], labels=data.valid.labels[:images]
    )
    sweep = SweepBuilder(tmp_path / "sweep", replace(data, valid=few))
    with_logits(sweep, MLP, np.arange(images) < right)

    choice = choose(sweep.record)

    assert f"with a 95 % interval of {low} to {high}. {counted(images, 'validation image')} " in choice.sentence
    assert ("is" if images == 1 else "are") + " too few to go by" in choice.sentence
    assert "the best of 1 COMPLETE trial " in choice.sentence
    assert "too few to go by" in caution(sweep.record, sweep.record.best)


def test_of_enough_images_nothing_is_said(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    with_logits(sweep, MLP, np.arange(IMAGES) < 200)
    assert "too few" not in choose(sweep.record).sentence + caution(sweep.record, sweep.record.best)


def test_a_class_with_few_images_makes_a_balanced_accuracy_uncertain(tmp_path, data):
    labels = np.where(np.arange(IMAGES) < 2, 2, np.arange(IMAGES) % 2)
    sweep = SweepBuilder(
        tmp_path / "sweep", replace(data, valid=replace(data.valid, labels=labels)), "balanced_accuracy"
    )
    with_logits(sweep, MLP, np.ones(IMAGES, bool))

    choice = choose(sweep.record)

    assert choice.best.low < 0.75
    assert "too few to go by, for the smallest class has 2 and counts as much as the largest" in choice.sentence


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss"])
def test_no_way_to_predict_is_worth_more_than_the_metric_can_be_and_no_gain_is_certain(tmp_path, data, metric):
    sweep = SweepBuilder(tmp_path / "sweep", first_images(data, 6), metric=metric)
    for wrong in range(4):
        with_logits(sweep, MLP, np.arange(6) != wrong, sure=60.0)
    with_logits(sweep, MLP, np.arange(6) < 5, sure=60.0)

    choice = choose(sweep.record)

    assert len(choice.options) > 1
    for option in choice.options:
        assert 0 <= option.low <= option.corrected <= option.high
        assert option.high - option.low > 0.3
        assert metric == "log_loss" or option.high <= 1
        assert option.gain_low <= option.gain <= option.gain_high
        assert option.gain_high - option.gain_low > 0.3
    assert "-0.0" not in re.sub(r"-0\.0\d*[1-9]", "", choice.sentence + choice.comparison)


def test_the_best_of_equals_is_worth_less_than_it_seems(tmp_path, data):
    sweep, rng = SweepBuilder(tmp_path / "sweep", data), np.random.default_rng(0)
    for _ in range(20):
        with_logits(sweep, MLP, independent(rng, 0.6))
    choice = choose(sweep.record)
    assert choice.best.raw > 0.64
    assert choice.best.corrected < choice.best.raw - 0.015
    assert f"{100 * choice.best.raw:.1f} %" in choice.sentence
    assert f"{100 * choice.best.corrected:.1f} %" in choice.sentence


def test_trials_with_mistakes_of_their_own_are_an_ensemble_that_is_better(tmp_path, data):
    sweep, rng = SweepBuilder(tmp_path / "sweep", data), np.random.default_rng(0)
    for _ in range(6):
        with_logits(sweep, MLP, independent(rng, 0.7))
    choice = choose(sweep.record)
    assert choice.chosen.is_ensemble
    assert choice.chosen.gain > 0.05
    assert choice.chosen.corrected == pytest.approx(choice.best.corrected + choice.chosen.gain)
    assert f"an ensemble of {len(choice.chosen.members)} trials is best" in choice.comparison


def test_trials_with_the_same_mistakes_are_no_ensemble_and_that_is_said(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    for right in (200, 220, 210):
        with_logits(sweep, MLP, np.arange(IMAGES) < right)
    choice = choose(sweep.record)
    assert choice.options == (choice.best,)
    assert choice.chosen is choice.best


def test_averaging_over_views_is_chosen_where_it_is_better(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    number = with_logits(sweep, CNN, np.arange(IMAGES) < 200)
    better = np.arange(IMAGES) < 230
    predicted = np.where(better, data.valid.labels, (data.valid.labels + 1) % 3)
    np.save(trial_folder(sweep.folder, number) / AVERAGED_LOGITS, 3 * np.eye(3, dtype=np.float32)[predicted])
    choice = choose(sweep.record)
    assert choice.chosen.is_averaged
    assert choice.chosen.gain == pytest.approx(0.1, abs=0.01)
    assert "averaged over flips is best" in choice.comparison


def test_for_a_loss_the_smaller_is_better_and_being_sure_of_mistakes_is_worse(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data, metric="log_loss")
    sure = with_logits(sweep, MLP, np.arange(IMAGES) < 200, sure=20.0)
    unsure = with_logits(sweep, MLP, np.arange(IMAGES) < 200, sure=1.0)
    best = choose(sweep.record).best
    assert [member for member, _ in best.members] == [unsure] != [sure]
    probability = np.e / (np.e + 2)
    expected = -(2 * np.log(probability) + np.log((1 - probability) / 2)) / 3
    assert best.raw == pytest.approx(expected, rel=1e-5)
    assert best.low < best.corrected < best.high


def test_a_trial_whose_kept_files_are_damaged_is_not_chosen(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    good = with_logits(sweep, MLP, np.arange(IMAGES) < 200)
    bad = with_logits(sweep, MLP, np.arange(IMAGES) < 250)
    (trial_folder(sweep.folder, bad) / "valid_logits.npy").write_bytes(b"cut")
    record = sweep.record
    assert choose(record).best.members == ((good, 1),)
    assert list(record.damaged) == [bad]


def test_the_averaged_predictions_are_made_once_for_trials_that_trained_with_flips(tmp_path, data):
    sweep = SweepBuilder(tmp_path / "sweep", data)
    without, with_flips = sweep.add(MLP, [100]), sweep.add(CNN, [120])
    write_averaged(sweep.record, data)
    made = trial_folder(sweep.folder, with_flips) / AVERAGED_LOGITS
    stamp = made.stat().st_mtime_ns
    write_averaged(sweep.record, data)
    assert made.stat().st_mtime_ns == stamp
    assert not (trial_folder(sweep.folder, without) / AVERAGED_LOGITS).exists()
    record = sweep.record
    assert record.damaged == {}
    assert np.exp(record.trials[with_flips].valid_logits_tta).sum(axis=1) == pytest.approx(1, abs=1e-5)
