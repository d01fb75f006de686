"""What the map of a stage becomes."""

import pytest
import torch

from sweep.trainable.config import POOLINGS
from sweep.trainable.features import pooling
from sweep.trainable.features.pooling import Shape


def a_map(side: int, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(side))


@pytest.mark.parametrize("side", [1, 2, 3, 4, 7, 16])
class TestEveryPooling:
    @pytest.mark.parametrize("name", POOLINGS)
    def test_it_has_the_width_that_its_shape_tells(self, name, side):
        assert pooling.pooled(a_map(side), name).shape == (2, pooling.width(name, Shape(3, side)))

    def test_the_cells_of_a_grid_have_the_mean_of_the_map(self, side):
        stage = a_map(side)

        for name in ("2x2", "4x4"):
            cells = pooling.pooled(stage, name).unflatten(1, (3, -1))
            torch.testing.assert_close(cells.mean(2), stage.mean((2, 3)))

    def test_the_parts_have_the_widths_that_the_shape_tells(self, side):
        made = pooling.parts(a_map(side))

        assert {name: part.shape[1] for name, part in made.items()} == Shape(3, side).widths


def test_cells_are_the_means_of_their_pixels():
    stage = torch.arange(16.0).view(1, 1, 4, 4)

    assert pooling.pooled(stage, "2x2").tolist() == [[2.5, 4.5, 10.5, 12.5]]
    assert pooling.pooled(stage, "4x4").tolist() == [list(range(16))]


def test_the_deviation_is_that_of_all_pixels():
    stage = a_map(5)

    found = pooling.pooled(stage, "mean_std")

    torch.testing.assert_close(found[:, 3:], stage.flatten(2).std(2, correction=0))


def test_a_pyramid_is_finer_the_larger_the_map():
    cells = {side: pooling.chosen("pyramid", Shape(3, side)) for side in (1, 2, 4, 16)}

    assert cells == {1: ("mean",), 2: ("mean", "std"), 4: ("half", "std"), 16: ("grid", "std")}


def test_what_float16_cannot_hold_is_the_largest_that_it_can():
    assert pooling.pooled(torch.full((1, 1, 2, 2), 1e6), "mean").half().isfinite().all()
