"""What one way to predict is better by than another, and how sure that is."""

import numpy as np
import pytest

from sweep.analysis.estimates.adjustments.gain import gain
from sweep.trainable.metrics import named

IMAGES = 400
BY_MEANS, BY_COUNTS = ("accuracy", "balanced_accuracy", "log_loss"), ("macro_f1", "mcc", "qwk")


def judged_by(name):
    return named(name).for_classes(["0", "1"])


def two_ways(seed=0, images=IMAGES):
    """Labels, of which a fifth are of the second class, and two ways to predict them, the second with more of it."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(images) < 0.2).astype(int)
    odds = 2 * labels - 1.5 + rng.normal(size=images)
    second = 1 / (1 + np.exp(-np.stack([odds, odds + 0.7])))
    return labels, *np.stack([1 - second, second], axis=1)


def value(metric, labels, probabilities, images):
    return metric.sign * metric.value(labels[images], np.log(probabilities.T[images]))


@pytest.mark.parametrize("name", BY_MEANS + BY_COUNTS)
def test_it_is_the_difference_of_the_values_where_images_count_as_often_as_they_were_drawn(name):
    labels, before, after = two_ways()
    counts = np.random.default_rng(1).integers(0, 3, IMAGES).astype(np.uint8)
    metric, drawn = judged_by(name), np.repeat(np.arange(IMAGES), counts)

    found = gain(metric, labels, before, after, counts)

    expected = value(metric, labels, after, drawn) - value(metric, labels, before, drawn)
    assert found.value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", BY_MEANS + BY_COUNTS)
def test_its_standard_error_is_how_much_it_differs_between_draws(name):
    labels, before, after = two_ways()
    metric, rng = judged_by(name), np.random.default_rng(2)
    draws = rng.integers(0, IMAGES, (600, IMAGES))

    apart = [value(metric, labels, after, each) - value(metric, labels, before, each) for each in draws]

    found = gain(metric, labels, before, after, np.ones(IMAGES))
    assert found.standard_error == pytest.approx(np.std(apart), rel=0.12)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_one_image_that_is_right_then_is_no_gain_to_speak_of_and_ten_are(name):
    labels = np.arange(100) % 2
    before = np.where(labels == [[0], [1]], 0.9, 0.1)
    before[:, :10] = before[::-1, :10]
    enough = []
    for mended in (1, 10):
        after = before.copy()
        after[:, :mended] = after[::-1, :mended]
        enough.append(gain(judged_by(name), labels, before, after, np.ones(100)).is_enough)
    assert enough == [False, True]


def test_predictions_that_stay_what_they_are_gain_nothing():
    labels, before, _ = two_ways()
    found = gain(judged_by("macro_f1"), labels, before, before, np.ones(IMAGES))
    assert (found.value, found.standard_error, found.is_enough) == (0, 0, False)
