"""Intervals on few images: how often they hold the truth, simulated, and that they stay where the metric can be."""

from dataclasses import dataclass

import numpy as np
import pytest

from sweep.analysis.estimates.intervals import FEW_IMAGES, WeightedImages, sample_of, share_interval
from sweep.trainable.metrics import named
from sweep.trainable.metrics.contract import Metric

SAMPLES = 400
GUESS = float(np.log(7))


@dataclass(eq=False)
class Judged:
    """What a sample is made of."""

    valid_labels: np.ndarray
    metric: Metric
    classes: tuple[str, ...] = ("a", "b", "c")


def everything(images):
    return WeightedImages([np.arange(images)])


def losses(images):
    return WeightedImages([np.arange(images)], GUESS)


def of_classes(*sizes):
    """A sample of a balanced accuracy."""
    ends = np.cumsum(sizes)
    return WeightedImages([np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)])


@pytest.mark.parametrize("images", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("accuracy", [0, 0.5, 0.95, 1])
class TestCoverage:
    """Of 95 % at least nearly 95: three standard errors of the simulation below, at most."""

    def test_the_interval_of_an_accuracy_holds_the_truth(self, images, accuracy):
        rng, sample = np.random.default_rng(0), everything(images)
        found = [sample.interval(right, right.mean()) for right in rng.random((SAMPLES, images)) < accuracy]
        assert np.mean([low <= accuracy <= high for low, high in found]) >= 0.94
        assert all(0 <= low < high <= 1 for low, high in found)

    @pytest.mark.parametrize("sizes", [(1, 1), (1, 50), (2, 3, 100), (5,) * 7, (500, 500, 2)])
    def test_so_does_that_of_a_balanced_accuracy_whose_last_class_is_the_hardest(self, images, accuracy, sizes):
        rng, sample = np.random.default_rng(0), of_classes(*(size + images - 1 for size in sizes))
        truth = np.full(len(sizes), float(accuracy))
        truth[-1] /= 2
        found = []
        for _ in range(SAMPLES):
            right = np.concatenate([rng.random(len(i)) < t for i, t in zip(sample.strata, truth, strict=True)])
            found.append(sample.interval(right, sample.mean(right)))
        assert np.mean([low <= truth.mean() + 1e-12 and truth.mean() - 1e-12 <= high for low, high in found]) >= 0.93
        assert all(0 <= low < high <= 1 for low, high in found)

    @pytest.mark.parametrize("sure", [0.6, 0.95])
    def test_so_does_that_of_a_loss_that_is_small_where_an_answer_is_right(self, images, accuracy, sure):
        rng, sample = np.random.default_rng(0), losses(images)
        right, wrong = -np.log(sure), -np.log((1 - sure) / 6)
        truth = accuracy * right + (1 - accuracy) * wrong
        found = []
        for is_right in rng.random((SAMPLES, images)) < accuracy:
            values = np.where(is_right, right, wrong)
            found.append(sample.interval(values, values.mean()))
        assert np.mean([low <= truth + 1e-12 and truth - 1e-12 <= high for low, high in found]) >= 0.93
        assert all(0 <= low < high < np.inf for low, high in found)

    @pytest.mark.parametrize("lost", [0, 0.05, 0.4])
    def test_so_does_that_of_a_difference_of_which_some_images_are_won_and_some_lost(self, images, accuracy, lost):
        rng, sample = np.random.default_rng(0), everything(images)
        won = accuracy * (1 - lost)
        found = []
        for drawn in rng.random((SAMPLES, images)):
            apart = np.where(drawn < won, 1.0, np.where(drawn < won + lost, -1.0, 0.0))
            variance = sample.variance_of_difference(apart)
            found.append(sample.interval_of_difference(apart.mean(), variance))
        assert np.mean([low <= won - lost + 1e-12 and won - lost - 1e-12 <= high for low, high in found]) >= 0.93
        assert all(-1 <= low < high <= 1 for low, high in found)


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [(60, 60, 0.9404, 1), (0, 60, 0, 0.0596), (1, 1, 0.025, 1), (1, 2, 0.0126, 0.9874), (5, 35, 0.0481, 0.3026)],
)
def test_the_interval_of_a_share_is_that_of_clopper_and_pearson(right, images, low, high):
    assert share_interval(right, images) == pytest.approx((low, high), abs=1e-4)
    sample = everything(images)
    assert sample.interval(np.arange(images) < right, right / images) == pytest.approx((low, high), abs=1e-4)


def test_without_images_a_share_may_be_anything():
    assert share_interval(0, 0) == (0, 1)


def test_a_corrected_share_need_not_be_a_whole_number_of_images():
    whole, between, next_one = (share_interval(right, 20) for right in (12, 12.5, 13))
    assert whole[0] < between[0] < next_one[0]
    assert whole[1] < between[1] < next_one[1]


@pytest.mark.parametrize("mean", [0.0, 0.3, 0.9, 1.0])
def test_the_interval_holds_its_own_mean_after_a_correction_to_either_side(mean):
    for sample in (everything(12), of_classes(1, 2, 9)):
        for right in (np.zeros(12), np.ones(12), np.arange(12) < 7):
            low, high = sample.interval(right, mean)
            assert 0 <= low <= mean <= high <= 1


def test_a_class_with_a_single_image_leaves_its_own_share_of_the_balanced_accuracy_open():
    sample = of_classes(*[1000] * 9, 1)
    low, high = sample.interval(np.ones(9001), 1.0)
    assert low < 0.91
    assert high == 1


def test_many_classes_of_one_size_tell_as_much_as_their_images_together():
    assert of_classes(10, 10, 10).size == pytest.approx(30)
    assert of_classes(1, 1000).size == pytest.approx(4, abs=0.01)


def test_of_many_images_every_interval_is_two_standard_errors_to_either_side():
    rng = np.random.default_rng(0)
    apart = rng.choice([-1.0, 0.0, 1.0], 20_000, p=[0.1, 0.75, 0.15])
    values = rng.exponential(1.0, 20_000)
    sample = everything(20_000)
    ends = sample.interval_of_difference(apart.mean(), sample.variance_of_difference(apart))
    assert ends == pytest.approx(apart.mean() + np.array([-1, 1]) * 1.96 * apart.std() / np.sqrt(20_000), abs=2e-4)
    ends = losses(20_000).interval(values, values.mean())
    assert ends == pytest.approx(values.mean() + np.array([-1, 1]) * 1.96 * values.std() / np.sqrt(20_000), abs=1e-3)


def test_a_standard_error_is_never_zero():
    for sample, scores in ((everything(60), np.ones(60)), (losses(60), np.full(60, 0.01)), (everything(1), np.ones(1))):
        assert sample.standard_error(scores) > 0.01


def test_a_balanced_accuracy_is_small_by_its_smallest_class():
    labels = np.array([0] * 500 + [1] * 3)
    balanced, plain = (Judged(labels, named(name)) for name in ("balanced_accuracy", "accuracy"))
    assert sample_of(balanced).is_small
    assert not sample_of(plain).is_small
    assert everything(FEW_IMAGES - 1).is_small
