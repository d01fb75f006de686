"""A metric made of ranks is chosen by, corrected and given an interval as where it is computed anew for each draw."""

import numpy as np
import pytest

from sweep.analysis.estimates.drawn_scores import DrawnScores
from sweep.analysis.estimates.draws import draws
from sweep.analysis.estimates.honest import estimate
from sweep.analysis.estimates.rank_scores import RankScores
from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.metrics.predictions import falling_order

AUC = named("auc")
IMAGES = 200


def candidates(classes, seed=0, number=5, images=IMAGES, sure=1.0):
    """Labels, and the logits of some candidates, of which many are equal."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(images) % classes)
    noise = rng.normal(size=(number, images, classes)).round(1)
    return labels, list(noise + sure * np.eye(classes)[labels])


def scores(labels, logits):
    return RankScores(AUC.ranks, labels, [softmax(each) for each in logits])


@pytest.mark.parametrize("metric", [AUC, named("average_precision")], ids=lambda metric: metric.name)
def test_the_slopes_are_what_a_little_more_of_an_image_adds(metric):
    labels, (logits,) = candidates(2, number=1, images=30)
    order, ends = falling_order(logits[:, 1])
    is_of_class, more = labels[order] == 1, 1e-6

    value = metric.ranks.of_order(np.ones((30, 1)), is_of_class, ends)
    with_more = metric.ranks.of_order(np.ones((30, 30)) + more * np.eye(30), is_of_class, ends)

    assert metric.ranks.slopes(is_of_class, ends) == pytest.approx((with_more - value) / more, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
class TestRankScores:
    def test_the_best_of_each_draw_is_scored_as_if_its_images_were_all_there_are(self, classes):
        labels, logits = candidates(classes)
        counts = draws(IMAGES, 20)

        found = scores(labels, logits).on_drawn(counts)

        for draw, count in enumerate(counts):
            images = np.repeat(np.arange(IMAGES), count)
            expected = [AUC.value(labels[images], each[images]) for each in logits]
            assert found[draw].argmax() == np.argmax(expected)
            assert found[draw].max() == pytest.approx(max(expected))

    def test_it_is_chosen_and_corrected_as_what_is_computed_anew(self, classes):
        labels, logits = candidates(classes)
        counts = draws(IMAGES, 100)

        expected, found = estimate(DrawnScores(AUC, labels, logits), counts), estimate(scores(labels, logits), counts)

        assert (found.chosen, found.raw) == (expected.chosen, pytest.approx(expected.raw))
        assert found.corrected == pytest.approx(expected.corrected)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)

    def test_the_error_of_a_difference_between_equals_is_small_and_never_zero(self, classes):
        labels, logits = candidates(classes)
        equal, apart = scores(labels, [logits[0]] * 2), scores(labels, logits[:2])

        assert 0 < equal.variance_of_gain() < apart.variance_of_gain() / 2

    def test_a_draw_that_lacks_a_class_counts_in_no_mean(self, classes):
        labels, logits = candidates(classes, images=3 * classes)
        counts = np.stack([np.where(labels == 0, 2, 0), np.ones(len(labels), int)])

        found = scores(labels, logits)

        assert np.isfinite(found.on_drawn(counts)[1]).all()
        assert np.isfinite(found.everywhere()).all()


@pytest.mark.parametrize("images", [40, 200])
@pytest.mark.parametrize(("sure", "truth"), [(0.7, 0.6897), (4.0, 0.99766)])
def test_its_interval_holds_the_truth(images, sure, truth):
    held = 0
    for seed in range(60):
        labels = np.arange(images) % 2
        margins = np.random.default_rng(seed).normal(np.where(labels == 1, sure, 0.0))
        found = scores(labels, [np.stack([np.zeros(images), margins], axis=1)])
        low, high = found.interval(0, found.everywhere()[0])
        assert 0 <= low < high <= 1
        held += low <= truth <= high
    assert held >= 54
