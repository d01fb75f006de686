"""The first trials of the spaces over pretrained nets."""

import pytest

from sweep.search.portfolios import by_cost


@pytest.mark.parametrize(("name", "number"), by_cost.HEADS)
def test_the_first_mlp_reads_the_features_of_the_first_linear_head_so_that_two_workers_share_them(name, number):
    (linear,) = by_cost.linear_heads(name, number, ["timm/a_net"], lambda net: 224).values()

    mlp = by_cost.RECIPES[name, number]["mlp_head"]

    assert mlp["input_size"] == linear["input_size"]
