"""What an image weighs by the size of its class."""

import pytest
import torch

from sweep.trainable.class_weights import BETA, WEIGHTS
from sweep.trainable.config import check_field

COUNTS = torch.tensor([5000.0, 500.0, 50.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("name", WEIGHTS)
class TestEveryWeight:
    def test_a_config_may_have_it(self, name):
        check_field("class_weights", name)

    def test_a_smaller_class_never_weighs_less(self, name):
        assert (WEIGHTS[name](COUNTS).diff() >= 0).all()

    def test_classes_of_one_size_weigh_the_same(self, name):
        assert len(WEIGHTS[name](torch.full((4,), 120.0)).unique()) == 1


def test_ratios_are_those_of_their_definitions():
    ratios = {name: weights(COUNTS) / weights(COUNTS)[-1] for name, weights in WEIGHTS.items()}

    assert ratios["none"].tolist() == [1, 1, 1, 1]
    assert ratios["inverse"].tolist() == pytest.approx([1 / 5000, 1 / 500, 1 / 50, 1])
    assert ratios["sqrt_inverse"].tolist() == pytest.approx([5000**-0.5, 500**-0.5, 50**-0.5, 1])


def test_the_effective_number_is_the_count_of_few_images_and_has_a_limit():
    effective = 1 / WEIGHTS["effective"](COUNTS)

    assert effective[-1] == pytest.approx(1)
    assert effective[2] == pytest.approx(50, rel=0.03)
    assert 0.99 / (1 - BETA) < effective[0] < 1 / (1 - BETA)
