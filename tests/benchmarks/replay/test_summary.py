"""What is said of policies follows from what they had in hand."""

import numpy as np
import pytest

from benchmarks.replay.cells import FRACTIONS, Replays
from benchmarks.replay.figures import finite
from benchmarks.replay.summary import saving, summaries

SEEDS = 20


def replays(course, compute=1.0):
    """All seeds and halves have the same course of values over the budget."""
    of_each = (SEEDS, 2)
    chosen = np.broadcast_to(course, (*of_each, len(FRACTIONS)))
    ones = np.ones(of_each)
    return Replays(100.0, chosen, 0.9 * ones, 0.4 * ones, compute * ones, 100 * ones, 50 * ones)


def summary(**courses):
    return summaries({name: replays(course) for name, course in courses.items()}, judged="fast")


def test_regret_is_how_far_the_choice_is_below_the_best_and_normalised_it_is_of_the_median_config():
    found = summary(fast=np.full(100, 0.8))["fast"]

    assert [each.found for each in found.regret] == pytest.approx([0.1] * 4)
    assert [each.found for each in found.normalised] == pytest.approx([0.2] * 4)


def test_the_end_of_a_slow_policy_is_reached_after_a_share_of_its_time():
    slow, fast = 0.5 + 0.2 * FRACTIONS, 0.5 + 0.2 * np.minimum(1.0, 4 * FRACTIONS)

    found = summary(fast=fast, slow=slow)

    assert found["slow"].reached.found == pytest.approx(0.25)
    assert found["slow"].behind.found == pytest.approx(0)
    assert [each.rank[2] for each in found.values()] == [1, 2]
    assert [each.rank[3] for each in found.values()] == [1.5, 1.5]


def test_an_end_that_is_never_reached_is_none_in_json():
    found = summary(fast=np.full(100, 0.5), better=np.full(100, 0.6))

    assert found["better"].reached.found == np.inf
    assert found["better"].behind.found == pytest.approx(-0.1)
    assert finite({"reached": [found["better"].reached.found, 1.0]}) == {"reached": [None, 1.0]}


def test_a_saving_is_relative_to_the_reference():
    found = saving(replays(np.full(100, 0.78), compute=30.0), replays(np.full(100, 0.8), compute=60.0))

    assert found.compute.found == pytest.approx(0.5)
    assert found.behind.found == pytest.approx(0.02)
