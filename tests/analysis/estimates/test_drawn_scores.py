"""A metric that is computed anew for each draw, beside one whose mean over the images is known."""

from dataclasses import replace

import numpy as np
import pytest

from sweep.analysis.estimates.drawn_scores import DrawnScores
from sweep.analysis.estimates.draws import draws
from sweep.analysis.estimates.honest import estimate
from sweep.analysis.estimates.intervals import WeightedImages
from sweep.analysis.estimates.mean_scores import MeanScores
from sweep.trainable.metrics import named

ACCURACY = named("accuracy")


def answers(right):
    """(N, 2) logits that have these images right, and labels of two classes by turns."""
    labels = np.arange(len(right)) % 2
    return labels, 3 * np.eye(2)[np.where(right, labels, 1 - labels)]


def both_ways(rights):
    """The accuracy of candidates as a mean over the images, and as a value of which nothing is known."""
    labels, logits = zip(*map(answers, rights), strict=True)
    return MeanScores(np.array(rights), WeightedImages([np.arange(len(rights[0]))])), DrawnScores(
        ACCURACY, labels[0], logits
    )


def test_it_is_chosen_and_corrected_as_a_mean_is():
    rng, counts = np.random.default_rng(0), draws(300, 200)
    mean, drawn = both_ways(rng.random((8, 300)) < 0.7)

    expected, found = estimate(mean, counts), estimate(drawn, counts)

    assert (found.chosen, found.raw) == (expected.chosen, expected.raw)
    assert found.corrected == pytest.approx(expected.corrected, abs=0.002)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert drawn.standard_error() == pytest.approx(mean.standard_error(), rel=0.1)
    assert drawn.variance_of_gain() ** 0.5 == pytest.approx(
        replace(mean, of=mean.of.astype(float)).variance_of_gain() ** 0.5, rel=0.1
    )


@pytest.mark.parametrize("images", [5, 20, 60])
@pytest.mark.parametrize("accuracy", [0.5, 0.95])
def test_its_interval_holds_the_truth(images, accuracy):
    rng, held = np.random.default_rng(0), 0
    for _ in range(100):
        _, drawn = both_ways(rng.random((1, images)) < accuracy)
        low, high = drawn.interval(0, drawn.everywhere()[0])
        held += low <= accuracy <= high
    assert held >= 92


def test_images_that_are_all_right_leave_the_next_one_open():
    _, drawn = both_ways(np.ones((1, 60), bool))

    low, high = drawn.interval(0, 1.0)

    assert low == pytest.approx(0.94, abs=0.01)  # as Clopper and Pearson have it
    assert high > 1


def test_a_single_image_tells_nothing():
    _, drawn = both_ways(np.ones((1, 1), bool))

    assert drawn.interval(0, 1.0) == (-np.inf, np.inf)


def test_draws_of_which_the_metric_makes_no_number_do_not_count():
    def of_both_classes(labels, logits):
        if len(np.unique(labels)) < 2:
            raise ValueError("only one class is there")
        return ACCURACY.value(labels, logits)

    labels, logits = answers(np.arange(6) > 0)
    drawn = DrawnScores(replace(ACCURACY, value=of_both_classes), labels, [logits, logits])
    counts = np.array([[2, 0, 2, 0, 2, 0], [0, 1, 1, 2, 2, 0]])

    assert drawn.on_drawn(counts)[:, 0].tolist() == [-np.inf, 1.0]
    assert np.isnan(drawn.left_out(counts[:1], np.array([0])))
    assert estimate(drawn, counts).corrected == 0.5
