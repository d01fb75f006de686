"""How often the images of each class come in an epoch, and in which order."""

import pytest
import torch

from sweep.trainable.sampling import Sampling

COUNTS = [60, 25, 10, 4, 1]
LABELS = torch.repeat_interleave(torch.arange(5), torch.tensor(COUNTS))
IMAGES = len(LABELS)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def drawn_counts(sampling, epochs):
    orders = torch.stack([sampling.order(seeded(epoch)) for epoch in range(epochs)])
    return torch.stack([order.bincount(minlength=IMAGES) for order in orders])


def test_without_balance_an_epoch_has_each_image_once_in_the_order_that_it_always_had():
    for balanced in (None, 0.0):
        order = Sampling(LABELS, 5, balanced).order(seeded(3))

        assert torch.equal(order, torch.randperm(IMAGES, generator=seeded(3)))


@pytest.mark.parametrize("balanced", [0.1, 0.5, 0.9, 1.0])
def test_an_epoch_keeps_its_number_of_images(balanced):
    sampling = Sampling(LABELS, 5, balanced)

    assert all(len(sampling.order(seeded(epoch))) == IMAGES for epoch in range(50))


def test_with_full_balance_each_class_comes_equally_often():
    sampling = Sampling(LABELS, 5, 1.0)

    assert LABELS[sampling.order(seeded(0))].bincount().tolist() == [IMAGES // 5] * 5
    assert sampling.shares.tolist() == pytest.approx([0.2] * 5)


def test_half_balanced_is_by_the_square_root_of_the_sizes():
    sampling = Sampling(LABELS, 5, 0.5)
    roots = torch.tensor(COUNTS).double().sqrt()

    assert sampling.shares.tolist() == pytest.approx((roots / roots.sum()).tolist())


@pytest.mark.parametrize("balanced", [0.3, 0.77, 1.0])
def test_over_many_epochs_an_image_comes_as_often_as_its_class_should(balanced):
    sampling = Sampling(LABELS, 5, balanced)

    often = drawn_counts(sampling, 1500).double().mean(0)

    assert (often - sampling.times[LABELS]).abs().max() < 0.12
    of_class = torch.zeros(5, dtype=torch.float64).index_add_(0, LABELS, often)
    assert of_class.tolist() == pytest.approx((IMAGES * sampling.shares).tolist(), abs=0.05)


def test_all_images_of_a_class_have_their_turn_before_one_comes_again():
    counts = drawn_counts(Sampling(LABELS, 5, 0.8), 30)

    for label in range(5):
        of_class = counts[:, label == LABELS]
        assert (of_class.amax(1) - of_class.amin(1)).max() <= 1


def test_an_epoch_is_a_function_of_its_generator_and_classes_are_mixed_in_it():
    sampling = Sampling(LABELS, 5, 1.0)
    order = sampling.order(seeded(7))

    assert torch.equal(order, Sampling(LABELS, 5, 1.0).order(seeded(7)))
    assert not torch.equal(order, sampling.order(seeded(8)))
    assert len(LABELS[order[:20]].unique()) > 2


@pytest.mark.parametrize("balanced", [0.5, 1.0])
def test_a_class_without_images_is_never_drawn(balanced):
    sampling = Sampling(LABELS[LABELS != 4], 6, balanced)

    assert sampling.shares[4:].tolist() == [0, 0]
    assert LABELS[LABELS != 4][sampling.order(seeded(0))].max() == 3
