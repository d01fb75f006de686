"""Temperature scaling, where the temperature is known."""

import numpy as np
import pytest

from sweep.analysis.estimates.adjustments.temperature import LEAST, MOST, apply, fit
from sweep.trainable.metrics.contract import softmax


def drawn(images, temperature, classes=4, seed=0):
    """Labels drawn by probabilities, and the probabilities that somebody too sure by this temperature gives."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(images, classes))
    shares = softmax(logits)
    labels = (rng.random((images, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    return labels, softmax(temperature * logits).T


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_it_finds_how_much_too_sure_predictions_are(temperature):
    labels, probabilities = drawn(20_000, temperature)
    assert fit(None, labels, probabilities, np.ones(20_000)) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_loss():
    labels, probabilities = drawn(300, 2.0)

    def loss(temperature):
        return -np.log(apply(probabilities, temperature)[labels, np.arange(300)]).mean()

    found = fit(None, labels, probabilities, np.ones(300))

    assert all(loss(found) <= loss(other) for other in np.geomspace(LEAST, MOST, 200))


def test_an_image_counts_as_often_as_it_was_drawn():
    labels, probabilities = drawn(50, 2.0)
    counts = np.random.default_rng(1).integers(0, 3, 50)

    repeated = fit(None, np.repeat(labels, counts), np.repeat(probabilities, counts, axis=1), np.ones(counts.sum()))

    assert fit(None, labels, probabilities, counts) == pytest.approx(repeated)


def test_images_that_are_all_right_or_all_wrong_have_a_temperature_within_the_bounds():
    sure = softmax(5 * np.eye(2)).T
    for labels in ([0, 1], [1, 0]):
        assert LEAST <= fit(None, np.array(labels), sure, np.ones(2)) <= MOST


def test_probabilities_that_do_not_differ_keep_a_temperature_that_is_a_number():
    even = np.full((2, 5), 0.5)
    assert np.isfinite(fit(None, np.array([0, 1, 0, 1, 1]), even, np.ones(5)))


def test_the_answers_and_the_sum_of_one_stay():
    _, probabilities = drawn(100, 1.0)
    warmer = apply(probabilities, 4.0)
    assert (warmer.argmax(axis=0) == probabilities.argmax(axis=0)).all()
    np.testing.assert_allclose(warmer.sum(axis=0), 1)
