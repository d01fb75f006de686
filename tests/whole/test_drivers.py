"""Real drivers on real Ray, killed at random or started at once; `make reliability` does more of both."""

import pytest

from tests.drivers import kill_randomly, race

SMALL = ("--max-epochs", 9, "--fix", "arch=mlp", "--fix", "epochs=9", "--no-baselines", "--concurrency", 1)


@pytest.mark.ray
def test_a_sweep_whose_driver_is_killed_three_times_loses_and_repeats_nothing_that_ended(tiny_data, tmp_path):
    kills = kill_randomly(tmp_path / "sweep", 3, 2, 2, "--data", tiny_data, *SMALL)

    assert kills.problems == []
    assert kills.kills == 3
    assert kills.trials >= 8
    assert (kills.lost, kills.twice) == (0, 0)
    assert kills.most_repeated_seconds <= 1 + kills.longest_epoch_seconds


@pytest.mark.parametrize("drivers", [2, 4])
def test_of_drivers_started_at_once_one_runs(tiny_data, tmp_path, drivers):
    races = race(tmp_path, drivers, 2, "--data", tiny_data)

    assert races.problems == []
    assert (races.one_ran, races.refused) == (2, 2 * (drivers - 1))
