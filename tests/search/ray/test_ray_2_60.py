"""Ray without the private parts of it that one version is known by."""

import pytest

from analysis.record import Record
from search.ray import ray_2_60
from search.run import main
from search.samplers import optuna_5_0
from storage.states import State
from tests.searched import command


def test_the_versions_that_are_installed_are_those_whose_private_parts_are_known():
    assert ray_2_60.is_used()
    assert optuna_5_0.is_used()


@pytest.mark.ray
def test_a_sweep_runs_by_the_public_ways_of_ray_and_optuna_alone(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_2_60, "is_used", lambda: False)
    monkeypatch.setattr(optuna_5_0, "is_used", lambda: False)
    words = ("--data", tiny_data, "--sweep", tmp_path / "sweep", "--trials", 3, "--max-epochs", 2)

    done = command(main, *words, "--fix", "arch=mlp", "--no-baselines")

    assert done.exit_code == 0, done.output
    assert [trial.state for trial in Record(tmp_path / "sweep").trials] == [State.COMPLETE] * 3
    log = (tmp_path / "sweep/log.txt").read_text()
    assert log.count("its public ways are used alone") == 2
