"""How far the confidence of a trial can be trusted, before and after temperature scaling."""

from types import SimpleNamespace

import numpy as np
import pytest

from sweep.analysis.estimates.adjustments import out_of_fold
from sweep.analysis.estimates.intervals import share_interval
from sweep.analysis.report.sections.calibration import calibration, part, sentence
from sweep.trainable.metrics import metrics
from tests.analysis.estimates.adjustments.test_temperature import drawn


def a_sweep(labels, metric="accuracy", folds=None):
    return SimpleNamespace(valid_labels=labels, metric=metrics()[metric], classes=list("abcd"), folds=folds)


def test_the_error_is_the_gap_of_each_bin_weighted_by_its_images():
    shares = np.array([[0.95, 0.05], [0.05, 0.95], [0.55, 0.45], [0.55, 0.45], [1.0, 0.0]])

    found = calibration(shares, np.array([0, 0, 0, 0, 0]))

    assert [(b.images, round(b.confidence, 4), round(b.accuracy, 4)) for b in found.bins] == [
        (2, 0.55, 1.0),
        (3, round(2.9 / 3, 4), round(2 / 3, 4)),
    ]
    assert (found.bins[1].low, found.bins[1].high) == share_interval(2, 3)
    assert found.error == pytest.approx((2 * 0.45 + 3 * (2.9 / 3 - 2 / 3)) / 5)
    assert found.loss == pytest.approx(-np.log(shares[:, 0]).mean())
    said = sentence(found)
    assert "a probability of 80.0 %, and 80.0 % of them are right: it is about as confident as it should be" in said
    assert "is 36.0 points" in said


def test_a_trial_that_is_too_sure_is_better_after_scaling_on_images_that_did_not_fit_it():
    labels, probabilities = drawn(600, 3.0)

    shown = part(a_sweep(labels), np.log(probabilities.T))

    (_, error, loss), (_, scaled_error, scaled_loss) = shown.table.rows
    assert scaled_error.value < error.value / 2
    assert scaled_loss.value < loss.value
    assert "makes the log loss better" in shown.sentences[1]
    assert "the search was for accuracy" in shown.sentences[1]


def test_scaling_that_fits_chance_is_said_to_make_nothing_better():
    labels, probabilities = drawn(30, 1.0, seed=3)

    shown = part(a_sweep(labels), np.log(probabilities.T))

    before, after = (row[2].value for row in shown.table.rows)
    assert ("no better" in shown.sentences[1]) == (after >= before)


def test_no_image_is_scaled_by_a_temperature_that_it_was_fitted_to():
    labels, probabilities = drawn(50, 3.0)
    other = labels.copy()
    other[0] = (labels[0] + 1) % 4
    folds = np.arange(50) % 5

    before, after = (out_of_fold.scaled(a_sweep(each, folds=folds), probabilities.T) for each in (labels, other))

    np.testing.assert_array_equal(before[folds == 0], after[folds == 0])
    assert not np.isclose(before[folds == 1], after[folds == 1]).all()


def test_a_handful_of_images_is_shown_as_it_is():
    labels, probabilities = drawn(6, 1.0)
    shown = part(a_sweep(labels), np.log(probabilities.T))
    assert shown.table is None
    assert len(shown.sentences) == 1
