"""Greedy ensembles by the mean of probabilities, on cases small enough to be checked by hand."""

import numpy as np

from sweep.analysis.estimates.ensembles.probabilities_1 import ENSEMBLES, greedy

mean = ENSEMBLES.mean


def probabilities(*models):
    """(classes, T, N) of (N, classes) lists."""
    return np.stack([np.array(model, np.float32).T for model in models], axis=1)


def even(images):
    return np.full(images, 1 / images, np.float32)


def test_models_with_different_mistakes_are_put_together():
    # Each has one of three images wrong by a little; any two outvote it.
    a = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]
    b = [[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]]
    counts = greedy(probabilities(a, b), np.array([0, 0, 0]), even(3))
    assert (counts > 0).all()
    assert (mean(probabilities(a, b), counts).argmax(axis=0) == 0).all()


def test_a_model_that_helps_nothing_is_left_out():
    good = [[0.9, 0.1], [0.2, 0.8]]
    bad = [[0.1, 0.9], [0.9, 0.1]]
    assert list(greedy(probabilities(bad, good), np.array([0, 1]), even(2))) == [0, 1]


def test_images_that_do_not_count_decide_nothing():
    a = [[0.9, 0.1], [0.1, 0.9]]
    b = [[0.1, 0.9], [0.9, 0.1]]
    first, second = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    assert list(greedy(probabilities(a, b), np.array([0, 0]), first)) == [1, 0]
    assert list(greedy(probabilities(a, b), np.array([0, 0]), second)) == [0, 1]


def test_by_loss_the_probability_of_the_true_class_decides():
    sure = [[0.99, 0.01], [0.99, 0.01], [0.01, 0.99]]  # more right, and sure of its mistake
    unsure = [[0.6, 0.4], [0.4, 0.6], [0.4, 0.6]]
    labels = np.array([0, 0, 0])
    assert list(greedy(probabilities(sure, unsure), labels, even(3)) > 0) == [True, False]
    assert (greedy(probabilities(sure, unsure), labels, even(3), by_loss=True) > 0).all()


def test_the_mean_counts_a_model_as_often_as_it_is_in():
    a, b = [[1.0, 0.0]], [[0.0, 1.0]]
    np.testing.assert_allclose(mean(probabilities(a, b), np.array([3, 1])).T, [[0.75, 0.25]])
