"""The decision threshold, against every threshold tried one by one."""

import numpy as np
import pytest

from sweep.analysis.estimates.adjustments.threshold import ADJUSTMENT, cuts, fit
from sweep.trainable.metrics import metrics, named

BY_ANSWERS = [metric.for_classes(["0", "1"]) for metric in metrics().values() if ADJUSTMENT.suits(metric, 2)]
IMAGES = 60


def unequal(seed=0, images=IMAGES):
    """Labels, of which a fifth are of the second class, and probabilities that lean to the first one."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(images) % 5 == 0).astype(int)
    second = 1 / (1 + np.exp(1.5 - 2 * labels - rng.normal(size=images)))
    return labels, np.round(np.stack([1 - second, second]), 2)  # some images are as probable as others


def value(metric, labels, probabilities, threshold):
    return metric.sign * metric.value(labels, np.log(ADJUSTMENT.apply(probabilities, threshold).T + 1e-9))


@pytest.mark.parametrize("metric", BY_ANSWERS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_between_two_images_is_better(metric, seed):
    labels, probabilities = unequal(seed)

    found = fit(metric, labels, probabilities, np.ones(IMAGES))

    tried = np.unique(probabilities[1])[:-1] + 0.005
    best = max(value(metric, labels, probabilities, threshold) for threshold in tried)
    assert value(metric, labels, probabilities, found) == pytest.approx(best)


@pytest.mark.parametrize("metric", BY_ANSWERS, ids=lambda metric: metric.name)
def test_an_image_counts_as_often_as_it_was_drawn(metric):
    labels, probabilities = unequal()
    counts = np.random.default_rng(1).integers(0, 3, IMAGES)

    repeated = fit(metric, np.repeat(labels, counts), np.repeat(probabilities, counts, axis=1), np.ones(counts.sum()))

    assert fit(metric, labels, probabilities, counts) == repeated


def test_the_answer_is_the_second_class_above_the_threshold_and_the_first_one_at_it():
    probabilities = np.array([[0.8, 0.75, 0.7], [0.2, 0.25, 0.3]])
    assert ADJUSTMENT.apply(probabilities, 0.25).argmax(axis=0).tolist() == [0, 0, 1]


def test_where_the_usual_threshold_is_as_good_as_any_it_stays():
    labels, probabilities = np.array([0, 0, 1]), np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.9]])
    assert fit(metrics()["accuracy"], labels, probabilities, np.ones(3)) == ADJUSTMENT.neutral


def test_images_that_no_threshold_can_part_keep_the_usual_one():
    probabilities = np.full((2, 3), [[0.7], [0.3]])
    assert fit(metrics()["accuracy"], np.array([0, 1, 0]), probabilities, np.ones(3)) == ADJUSTMENT.neutral


def test_each_cut_counts_who_is_answered_with_what():
    labels, probabilities = np.array([1, 0, 1]), np.array([[0.9, 0.6, 0.2], [0.1, 0.4, 0.8]])

    found = cuts(probabilities, np.ones(3))

    assert found.confusions(labels, np.array([1, 2, 3])).tolist() == [[[0, 2], [1, 3]], [[2, 0], [1, 3]]]
    assert found.thresholds == pytest.approx([0.2139, 0.5], abs=1e-4)


def test_more_than_two_classes_and_metrics_that_ask_for_probabilities_have_no_threshold():
    assert not ADJUSTMENT.suits(metrics()["accuracy"], 3)
    assert not any(
        ADJUSTMENT.suits(metric, 2) for metric in metrics().values() if metric.images and metric.images.guess_loss
    )


def test_the_precision_and_the_recall_of_one_class_have_no_threshold():
    of_one_class = [named(f"{kind}:dog").for_classes(["cat", "dog"]) for kind in ("precision", "recall")]

    assert not any(ADJUSTMENT.suits(metric, 2) for metric in of_one_class)
