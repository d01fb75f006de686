"""Of every kind of metric: what the best of many trials is said to be worth, on simulated sweeps of known truth.

`make reliability ARGS=estimates` looks at a thousand of each and more closely.
"""

import pytest

from tests.simulated_sweeps import WORLDS, simulate

SWEEPS = 50


@pytest.fixture(scope="module", params=WORLDS.values(), ids=lambda world: world.metric)
def outcome(request):
    return simulate(request.param, range(SWEEPS))


def test_as_it_seems_the_best_overshoots(outcome):
    assert outcome.raw.mean() > 0.003


def test_corrected_it_hardly_does(outcome):
    error = outcome.corrected.std(ddof=1) / SWEEPS**0.5
    assert abs(outcome.corrected.mean()) < 0.005 + 2 * error


def test_the_interval_holds_the_truth(outcome):
    assert outcome.coverage >= 0.86
