"""A metric made of counts is chosen by, corrected and given an interval as where it is computed anew for each draw."""

import numpy as np
import pytest

from sweep.analysis.estimates import count_scores
from sweep.analysis.estimates.count_scores import CountScores, worth_of_classes
from sweep.analysis.estimates.drawn_scores import DrawnScores
from sweep.analysis.estimates.draws import draws
from sweep.analysis.estimates.honest import estimate
from sweep.trainable.metrics import named
from sweep.trainable.metrics.predictions import confusion

MACRO_F1 = named("macro_f1")
IMAGES, CLASSES = 300, 4
LABELS = np.random.default_rng(0).integers(0, CLASSES, IMAGES)


def answers(seed, candidates=6, right=0.7, labels=LABELS):
    """(candidates, N) answers, so many of them right."""
    rng = np.random.default_rng(seed)
    others = rng.integers(0, CLASSES, (candidates, len(labels)))
    return np.where(rng.random(others.shape) < right, labels, others)


def scores(of, labels=LABELS):
    return CountScores(MACRO_F1.counts, labels, of, CLASSES)


def test_each_draw_is_scored_as_if_its_images_were_all_there_are():
    of, counts = answers(0), draws(IMAGES, 5)

    found = scores(of).on_drawn(counts)

    for draw, count in enumerate(counts):
        images = np.repeat(np.arange(IMAGES), count)
        expected = [MACRO_F1.counts(confusion(LABELS[images], each[images], CLASSES)) for each in of]
        assert found[draw] == pytest.approx(expected, abs=1e-6)


def test_in_blocks_the_scores_are_the_same(monkeypatch):
    of, counts = answers(0), draws(IMAGES, 50)
    expected = scores(of).on_drawn(counts)

    monkeypatch.setattr(count_scores, "CELLS", 1)

    np.testing.assert_array_equal(scores(of).on_drawn(counts), expected)


def test_with_very_many_classes_the_best_candidates_alone_are_looked_at(monkeypatch):
    of, counts = np.stack([LABELS, (LABELS + 1) % CLASSES, answers(0, 1)[0]]), draws(IMAGES, 5)
    monkeypatch.setattr(count_scores, "MOST_CELLS", 1)
    monkeypatch.setattr(count_scores, "LEAST_CANDIDATES", 2)

    assert np.isfinite(scores(of).on_drawn(counts)).all(axis=0).tolist() == [True, False, True]


def test_the_images_left_out_of_all_draws_are_counted_together():
    labels = np.array([0, 0, 1, 1])
    of = np.array([[0, 0, 1, 1], [1, 1, 1, 1]])
    counts = np.array([[2, 2, 0, 0], [0, 0, 2, 2]])

    found = CountScores(MACRO_F1.counts, labels, of, 2).left_out(counts, np.array([0, 1]))

    assert found == pytest.approx(MACRO_F1.counts(np.array([[0, 2], [0, 2]])), abs=0.05)  # alone they have 1 and 0


def test_it_is_chosen_and_corrected_as_what_is_computed_anew():
    of, counts = answers(1), draws(IMAGES, 200)
    drawn = DrawnScores(MACRO_F1, LABELS, [np.eye(CLASSES)[each] for each in of])

    expected, found = estimate(drawn, counts), estimate(scores(of), counts)

    assert (found.chosen, found.raw) == (expected.chosen, pytest.approx(expected.raw))
    assert found.corrected == pytest.approx(expected.corrected, abs=0.01)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_the_error_of_a_difference_between_equals_is_small_and_never_zero():
    of = answers(2, 1)
    equal, apart = scores(np.repeat(of, 2, axis=0)), scores(answers(2, 2))

    assert 0 < equal.variance_of_gain() ** 0.5 < 0.02
    assert equal.variance_of_gain() < apart.variance_of_gain() / 2
    low, high = equal.interval_of_gain(0.0)
    assert low < 0 < high


@pytest.mark.parametrize("images", [20, 60, 300])
@pytest.mark.parametrize("right", [0.5, 0.98])
def test_its_interval_holds_the_truth(images, right):
    rng, truth, held = np.random.default_rng(0), right + (1 - right) / CLASSES, 0
    for seed in range(60):
        labels = rng.permutation(np.arange(images) % CLASSES)
        found = scores(answers(seed, 1, right, labels), labels)
        low, high = found.interval(0, found.everywhere()[0])
        assert 0 <= low < high <= 1
        held += low <= truth <= high
    assert held >= 54


def test_an_image_of_a_small_class_is_worth_more_to_macro_f1_and_as_much_to_the_share_that_is_right():
    counts = np.array([[900, 100, 0], [10, 80, 10], [0, 0, 0]])

    def share(numbers):
        return np.trace(numbers, axis1=-2, axis2=-1) / numbers.sum(axis=(-2, -1))

    of_f1, of_share = worth_of_classes(MACRO_F1.counts, counts), worth_of_classes(share, counts)

    assert of_f1[1] > 2 * of_f1[0] > 0
    assert of_share[0] == pytest.approx(of_share[1])
    assert of_f1[2] == of_share[2] == 0


def test_a_class_that_is_all_right_still_counts():
    assert (worth_of_classes(MACRO_F1.counts, np.diag([5, 3])) > 0).all()
