"""Adjustments that are tried on other images than those they were fitted to."""

from dataclasses import replace

import numpy as np
import pytest

from sweep.analysis.estimates.adjustments import temperature, threshold
from sweep.analysis.estimates.adjustments.out_of_fold import OutOfFold
from sweep.trainable.metrics import named
from tests.analysis.estimates.adjustments.test_temperature import drawn

IMAGES, SWEEPS = 200, 200
BEYOND = 0.16  # of a normal distribution lies above one standard error


def by_temperature(images, sure, seed=0):
    """Predictions that are too sure by a factor, and an adjustment to try on them."""
    labels, probabilities = drawn(images, sure, seed=seed)
    tried = OutOfFold(temperature.ADJUSTMENT, named("log_loss"), labels, np.arange(images) % 5)
    return tried, probabilities


def test_no_image_is_adjusted_by_a_number_that_it_was_fitted_to():
    tried, probabilities = by_temperature(IMAGES, 3.0)
    labels = tried.labels.copy()
    labels[tried.folds == 0] = (labels[tried.folds == 0] + 1) % 4
    other = replace(tried, labels=labels)

    before, after = (each.adjusted(probabilities, np.ones(IMAGES)) for each in (tried, other))

    np.testing.assert_array_equal(before[:, tried.folds == 0], after[:, tried.folds == 0])
    assert not np.isclose(before[:, tried.folds == 1], after[:, tried.folds == 1]).all()


def test_a_fold_without_others_to_fit_to_stays_as_it_is():
    tried, probabilities = by_temperature(IMAGES, 3.0)
    only_first = tried.folds == 0
    found = tried.adjusted(probabilities, only_first)
    np.testing.assert_array_equal(found[:, only_first], probabilities[:, only_first])


def test_what_gains_enough_is_fitted_to_all_images():
    tried, probabilities = by_temperature(IMAGES, 3.0)
    found = tried.fitted(probabilities, np.ones(IMAGES))
    assert found.number == temperature.fit(None, tried.labels, probabilities, np.ones(IMAGES))
    assert tried.gain(probabilities, np.ones(IMAGES)).value > 0.1


def test_of_probabilities_that_are_as_sure_as_they_should_be_few_are_adjusted():
    taken = 0
    for seed in range(SWEEPS):
        tried, probabilities = by_temperature(IMAGES, 1.0, seed)
        taken += tried.fitted(probabilities, np.ones(IMAGES)) is not None
    assert taken < BEYOND * SWEEPS


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "mcc"])
def test_where_one_half_is_the_best_threshold_few_predictions_get_another(metric):
    taken = 0
    for seed in range(SWEEPS):
        rng = np.random.default_rng(seed)
        second = rng.random(IMAGES)
        labels, probabilities = (rng.random(IMAGES) < second).astype(int), np.stack([1 - second, second])
        judge = named(metric).for_classes(["a", "b"])
        tried = OutOfFold(threshold.ADJUSTMENT, judge, labels, rng.permutation(IMAGES) % 5)
        taken += tried.fitted(probabilities, np.ones(IMAGES)) is not None
    assert taken < BEYOND * SWEEPS
