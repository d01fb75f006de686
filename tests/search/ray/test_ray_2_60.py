"""Ray without the private parts of it that one version is known by."""

import pytest

from sweep.analysis.record import Record
from sweep.search.ray import ray_2_60
from sweep.search.samplers import optuna_5_0
from sweep.storage.states import State
from tests.drivers import start


def test_the_versions_that_are_installed_are_those_whose_private_parts_are_known():
    assert ray_2_60.is_used()
    assert optuna_5_0.is_used()


@pytest.mark.ray
def test_a_sweep_runs_by_the_public_ways_of_ray_and_optuna_alone(tiny_data, tmp_path):
    words = ("--data", tiny_data, "--sweep", tmp_path / "sweep", "--trials", 3, "--max-epochs", 2)

    # A process of its own: by public ways alone, Ray reads its token once in a process.
    driver = start("tests.public_run", *words, "--fix", "arch=mlp", "--baselines", "none")
    said, _ = driver.communicate()

    assert driver.returncode == 0, said
    assert [trial.state for trial in Record(tmp_path / "sweep").trials] == [State.COMPLETE] * 3
    log = (tmp_path / "sweep/log.txt").read_text()
    assert log.count("its public ways are used alone") == 2
