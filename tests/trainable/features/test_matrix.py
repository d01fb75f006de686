"""The features of a head as one matrix."""

import pytest
import torch

from sweep.trainable.features import matrix
from sweep.trainable.features.matrix import Features, layout, name_of
from sweep.trainable.features.pooling import Shape, parts, pooled

SIDES = {1: 16, 2: 4}
CPU = torch.device("cpu")


def maps(count: int) -> dict[int, torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    return {stage: torch.rand(count, 3, side, side, generator=drawn) for stage, side in SIDES.items()}


def features(pooling: str, count: int = 25, chunk: int = 8) -> Features:
    chunks = [
        {name_of(stage, part): value[start : start + chunk].half() for stage, each in maps(count).items()
         for part, value in parts(each).items()}
        for start in range(0, count, chunk)
    ]  # fmt: skip
    return Features(chunks, layout([1, 2], [Shape(3, side) for side in SIDES.values()], pooling), CPU)


@pytest.mark.parametrize("pooling", ["mean", "mean_std", "2x2", "4x4", "pyramid"])
def test_its_columns_are_those_that_pooling_makes_of_the_maps(pooling):
    expected = torch.cat([pooled(each, pooling) for each in maps(25).values()], dim=1)

    found = torch.cat(list(features(pooling).blocks()))

    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)  # stored in float16


def test_each_feature_has_mean_zero_and_deviation_one():
    some = features("mean")

    mean, std = some.standardise()

    whole = torch.cat(list(some.blocks()))
    torch.testing.assert_close(whole.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.std(0, correction=0), torch.ones(6))
    assert mean.shape == std.shape == (6,)


def test_a_feature_that_never_changes_is_zero():
    chunk = {"1.mean": torch.full((4, 3), 7.0).half()}
    some = Features([chunk], layout([1], [Shape(3, 1)], "mean"), CPU)

    some.standardise()

    assert torch.equal(torch.cat(list(some.blocks())), torch.zeros(4, 3))


def test_a_matrix_that_stays_in_its_files_has_the_same_numbers(monkeypatch):
    monkeypatch.setattr(matrix, "BLOCK_ROWS", 10)
    inside, rows = features("pyramid"), torch.tensor([24, 0, 7, 8, 9, 0])
    moments = inside.standardise()
    monkeypatch.setattr(matrix, "MEMORY_BYTES", 0)
    outside = features("pyramid")

    assert all(map(torch.equal, outside.standardise(), moments))
    assert outside.matrix is None
    assert all(map(torch.equal, outside.blocks(), inside.blocks()))
    assert torch.equal(outside.take(rows), inside.take(rows))
