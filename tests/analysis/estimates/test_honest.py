"""What the best of many is worth: on hand-computed cases, and on simulated sweeps whose truth is known."""

import numpy as np
import pytest
from scipy.special import ndtri

from sweep.analysis.estimates.draws import draws
from sweep.analysis.estimates.honest import estimate
from sweep.analysis.estimates.intervals import WeightedImages
from sweep.analysis.estimates.mean_scores import MeanScores

IMAGES, TRIALS, EPOCHS, SWEEPS = 1173, 30, 5, 200
HALF_A_POINT = 0.005


def scores(of, strata=None):
    of = np.asarray(of)
    return MeanScores(of, WeightedImages(strata or [np.arange(of.shape[1])]))


def test_each_draw_has_half_as_many_images_again_as_there_are_and_leaves_a_fifth_out():
    counts = draws(500, 200)
    assert counts.shape == (200, 500)
    assert (counts.sum(axis=1) == 750).all()
    assert (counts == 0).mean() == pytest.approx(np.exp(-1.5), abs=0.01)
    np.testing.assert_array_equal(counts, draws(500, 200))


def test_the_choice_is_made_on_the_drawn_images_and_scored_on_the_others():
    of = [[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]]
    counts = np.array([[2, 2, 0, 0], [0, 1, 0, 3], [1, 1, 2, 0]])
    found = estimate(scores(of), counts)
    # The first draw chooses candidate 0 and scores it 0 of 2; the second 1, which has one of 2; the third, where 0
    # and 1 have two each, the first of them, 0 of 1.
    assert found.corrected == pytest.approx((0 + 1 / 2 + 0) / 3)
    assert (found.chosen, found.raw) == (0, 0.5)


def test_of_equals_the_first_is_chosen():
    assert estimate(scores([[0, 1], [1, 0], [1, 0]]), draws(2, 50)).chosen == 0
    rng = np.random.default_rng(0)
    equal = np.array([rng.permutation(np.arange(1173) < 775) for _ in range(40)])
    assert estimate(scores(equal), draws(1173, 20)).chosen == 0


def test_a_single_image_tells_nothing_and_corrects_nothing():
    found = estimate(scores([[1], [0]]), draws(1))
    assert (found.raw, found.corrected) == (1, 1)


def test_balanced_accuracy_counts_each_class_the_same():
    strata = [np.array([0]), np.array([1, 2, 3])]
    found = scores([[1, 0, 0, 0], [0, 1, 1, 1]], strata)
    weights = found.sample.weights(np.array([[1, 1, 1, 1], [1, 3, 0, 0], [0, 1, 2, 1]]))
    np.testing.assert_allclose(found.means(weights), [[0.5, 0.5], [0.5, 0.5], [0, 1]])
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_array_equal(found.everywhere(), [0.5, 0.5])


def test_of_many_images_the_interval_is_two_standard_errors_to_either_side():
    right = np.arange(10_000) < 7_000
    found = estimate(scores([right]), draws(10_000, 100))
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / 10_000), rel=0.01)
    assert (found.high + found.low) / 2 == pytest.approx(found.corrected, abs=1e-4)


@pytest.mark.parametrize("images", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("accuracy", [0, 0.5, 0.95, 1])
def test_few_images_and_a_choice_among_many_trials_leave_the_interval_honest(images, accuracy):
    rng, counts, held = np.random.default_rng(0), draws(images, 100), 0
    for _ in range(100):
        truth = np.full(60, float(accuracy))
        if 0 < accuracy < 1:
            truth -= 0.1 * rng.random(60)
        common = np.sqrt(0.6) * rng.standard_normal(images)  # trials find the same images hard
        right = common + np.sqrt(0.4) * rng.standard_normal((60, images)) < ndtri(truth)[:, None]
        found = estimate(scores(right), counts)
        assert 0 <= found.low <= found.corrected + 1e-6
        assert found.corrected - 1e-6 <= found.high <= 1
        assert found.high - found.low > 0.059  # of 60 images that are all right
        held += found.low <= truth[found.chosen] <= found.high
    assert held >= 93


def test_a_single_candidate_needs_no_correction():
    right = np.arange(1000) % 3 > 0
    assert estimate(scores([right]), draws(1000)).corrected == pytest.approx(right.mean(), abs=0.002)


@pytest.fixture(scope="module")
def simulated():
    """For each of 200 sweeps: raw best, corrected, mean of all trials, the truth of what was chosen, the interval.

    An image is right where a normal number exceeds a quantile set by the true accuracy of the trial and epoch; half
    of its variance is the image's own, a fifth of it the trial's with the image, as trials agree on what is hard and
    a trial's epochs agree even more.
    """
    rng, counts = np.random.default_rng(0), draws(IMAGES, 200)
    found = []
    for _ in range(SWEEPS):
        best_epochs = 0.66 - 0.04 * rng.exponential(size=(TRIALS, 1)).astype(np.float32)
        truth = best_epochs - 0.01 * np.abs(rng.normal(size=(TRIALS, EPOCHS)).astype(np.float32))
        image = np.sqrt(0.5) * rng.standard_normal((1, 1, IMAGES), np.float32)
        of_trial = np.sqrt(0.2) * rng.standard_normal((TRIALS, 1, IMAGES), np.float32)
        own = np.sqrt(0.3) * rng.standard_normal((TRIALS, EPOCHS, IMAGES), np.float32)
        right = image + of_trial + own < ndtri(truth)[..., None]
        result = estimate(scores(right.reshape(-1, IMAGES)), counts)
        by_trial = right.mean(axis=2).max(axis=1).mean()
        found.append((result.raw, result.corrected, by_trial, truth.ravel()[result.chosen], result.low, result.high))
    return np.array(found).T


def test_the_raw_best_of_a_sweep_overshoots(simulated):
    raw, _, _, truth, *_ = simulated
    assert (raw - truth).mean() > HALF_A_POINT


def test_the_corrected_estimate_is_within_half_a_point_of_the_truth(simulated):
    _, corrected, _, truth, *_ = simulated
    assert abs((corrected - truth).mean()) < HALF_A_POINT


def test_the_mean_of_all_trials_is_not(simulated):
    _, _, mean, truth, *_ = simulated
    assert abs((mean - truth).mean()) > HALF_A_POINT


def test_the_interval_covers_the_truth_as_often_as_it_says(simulated):
    *_, truth, low, high = simulated
    assert 0.92 <= ((low <= truth) & (truth <= high)).mean() <= 1


def test_what_is_left_out_is_scored_in_each_draw_by_its_own_choice():
    candidates = scores([[1, 0, 0], [0, 1, 0]])
    assert candidates.left_out(np.array([[3, 0, 0], [0, 2, 1]]), np.array([1, 0])) == (0.5 + 1) / 2
