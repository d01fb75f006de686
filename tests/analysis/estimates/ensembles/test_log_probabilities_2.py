"""Ensembles by the mean of log probabilities, on cases small enough to be checked by hand."""

import numpy as np
import pytest

from sweep.analysis.estimates.ensembles.log_probabilities_2 import ENSEMBLES, MOST_MEMBERS, choose


def parts(*models):
    """(classes, T, N) of the probabilities of T models, each an (N, classes) list."""
    return ENSEMBLES.part(np.stack([np.array(model, np.float32).T for model in models], axis=1))


def even(images):
    return np.full(images, 1 / images, np.float32)


def test_the_mean_is_the_geometric_one_and_adds_up_to_one():
    a, b = [[0.9, 0.1]], [[0.2, 0.8]]

    mean = ENSEMBLES.mean(parts(a, b), np.array([1, 1]))

    expected = np.sqrt([0.9 * 0.2, 0.1 * 0.8])
    np.testing.assert_allclose(mean.T, [expected / expected.sum()], rtol=1e-5)


def test_a_model_counts_as_often_as_it_is_in():
    a, b = [[0.9, 0.1]], [[0.2, 0.8]]

    twice = ENSEMBLES.mean(parts(a, b), np.array([2, 1]))

    np.testing.assert_allclose(twice, ENSEMBLES.mean(parts(a, a, b), np.array([1, 1, 1])), rtol=1e-5)


def test_added_up_member_by_member_it_is_the_same_mean():
    a, b = [[0.9, 0.1], [0.5, 0.5]], [[0.2, 0.8], [0.3, 0.7]]
    both = parts(a, b)

    whole = ENSEMBLES.whole(2 * both[:, 0] + both[:, 1], 3)

    np.testing.assert_allclose(whole, ENSEMBLES.mean(both, np.array([2, 1])), rtol=1e-5)


def test_models_of_different_kinds_with_mistakes_of_their_own_are_put_together():
    a = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]
    b = [[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]]

    counts = choose(parts(a, b), np.zeros(3, int), even(3), kinds=["head", "net"])

    assert (counts > 0).all()
    assert (ENSEMBLES.mean(parts(a, b), counts).argmax(axis=0) == 0).all()


def test_a_kind_that_helps_nothing_is_left_out_though_the_ensemble_begins_with_every_kind():
    good = [[0.9, 0.1], [0.2, 0.8]]
    bad = [[0.1, 0.9], [0.9, 0.1]]

    counts = choose(parts(bad, good), np.array([0, 1]), even(2), kinds=["head", "net"])

    assert counts[0] == 0
    assert counts[1] > 0


def test_three_that_outvote_each_other_are_found_where_two_of_them_are_no_better_than_one():
    sure, wrong = [1 - 1e-7, 1e-7], [1e-7, 1 - 1e-7]
    models = [[wrong if image == own else sure for image in range(3)] for own in range(3)]

    counts = choose(parts(*models), np.zeros(3, int), even(3), kinds=["net"] * 3)

    assert (counts > 0).all()


def test_images_that_do_not_count_decide_nothing():
    a, b = [[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]]
    labels, kinds = np.zeros(2, int), ["head", "net"]

    assert list(choose(parts(a, b), labels, np.array([1, 0], np.float32), kinds=kinds) > 0) == [True, False]
    assert list(choose(parts(a, b), labels, np.array([0, 1], np.float32), kinds=kinds) > 0) == [False, True]


def test_by_loss_a_sure_mistake_costs_more_than_many_close_calls():
    sure = [[0.99, 0.01], [0.99, 0.01], [1e-6, 1 - 1e-6]]  # more right, and sure of its mistake
    unsure = [[0.6, 0.4], [0.4, 0.6], [0.4, 0.6]]
    labels, kinds = np.zeros(3, int), ["net", "net"]

    by_class = choose(parts(sure, unsure), labels, even(3), kinds=kinds)
    by_loss = choose(parts(sure, unsure), labels, even(3), by_loss=True, kinds=kinds)

    assert by_class[1] == 0
    assert by_loss[1] > by_loss[0]


@pytest.mark.parametrize("by_loss", [False, True])
def test_no_ensemble_has_more_members_than_it_may(by_loss):
    rng = np.random.default_rng(0)
    models = rng.dirichlet(np.ones(4), (30, 50))  # of as many kinds
    labels = rng.integers(0, 4, 50)

    counts = choose(parts(*models), labels, even(50), by_loss, [str(number) for number in range(30)])

    assert 1 <= counts.sum() <= MOST_MEMBERS
