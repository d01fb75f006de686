"""The project as it is installed: a wheel, away from the checkout, beside the package `datasets` of somebody else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.copies import copied_project

ROOT = Path(__file__).resolve().parents[2]
OF_A_WHEEL = (
    "README.md",
    "LICENSE",
    "NOTICE",
    "requirements.txt",
    "requirements-weights.txt",
    "requirements-formats.txt",
)
NOTEBOOK = """
from sweep import SearchFailed, read_sweep, run_sweep
import datasets
assert datasets.WHOSE == "somebody else's"
sweep = run_sweep("sweeps/mine", data="DATA", trials=2, max_epochs=1, baselines="none", fix={"arch": "mlp"})
assert list(sweep.trials.state) == ["COMPLETE"] * 2
try:
    run_sweep("sweeps/mine", data="DATA", trials=3, seed=5, fix={"arch": "mlp"})
except SearchFailed as error:
    print("REFUSED", error)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Returns what runs a program with the wheel, a `datasets` and the packages of this environment alone."""
    place = tmp_path_factory.mktemp("installed")
    project = copied_project(place / "project")
    for name in OF_A_WHEEL:
        (project / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place / "wheels", project]
    subprocess.run(list(map(str, built)), check=True, cwd=place)
    wheels = list((place / "wheels").glob("*.whl"))
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-compile", "--target", f"{place / 'there'}", *map(str, wheels)], check=True
    )
    (place / "theirs" / "datasets").mkdir(parents=True)
    (place / "theirs" / "datasets" / "__init__.py").write_text('WHOSE = "somebody else\'s"\n')
    work = place / "work"
    work.mkdir()
    paths = os.pathsep.join(map(str, (place / "there", place / "theirs")))
    environment = os.environ | {"PYTHONPATH": paths, "RAY_ADDRESS": "local"}

    def run(*words):
        command = [sys.executable, *map(str, words)]
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)

    run.command = place / "there" / "bin" / "sweep"
    run.work = work
    return run


@pytest.mark.ray
def test_the_command_searches_shows_reports_and_predicts_from_another_folder(installed, tiny_data):
    def sweep(*words):
        done = installed(installed.command, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    started = sweep("run", "--data", tiny_data, "--trials", 2, "--max-epochs", 1, "--fix", "arch=mlp")
    (installed.work / "sweeps" / "default" / "report.html").unlink()
    shown, made = sweep("status", "sweeps/default"), sweep("report", "sweeps/default")
    predicted = sweep("predict", "sweeps/default", "--out", "own.csv")

    assert "2 of 2 trials ended (2 COMPLETE)" in started
    assert "finished, 2 of 2 trials ended" in shown
    assert "sweep train --config" in (installed.work / "sweeps" / "default" / "report.md").read_text()
    assert (installed.work / "sweeps" / "default" / "report.html").stat().st_size > 100_000
    assert (installed.work / "own.csv").read_text().startswith("id,label\n"), (made, predicted)


@pytest.mark.ray
def test_a_notebook_searches_and_is_told_why_a_search_is_refused(installed, tiny_data):
    done = installed("-c", NOTEBOOK.replace("DATA", str(tiny_data)))

    assert done.returncode == 0, done.stderr
    assert "[2/2] trial " in done.stdout
    assert "REFUSED" in done.stdout
    assert "seed" in done.stdout.partition("REFUSED")[2]
    assert "(exit code 2)" in done.stdout


def test_a_command_that_is_wrong_says_so_by_the_name_that_was_typed(installed):
    unknown, wrong = installed(installed.command, "serch"), installed(installed.command, "run", "--trils", 3)

    assert (unknown.returncode, wrong.returncode) == (2, 2)
    assert "No such command 'serch'" in unknown.stderr
    assert "Usage: sweep run [OPTIONS]" in wrong.stderr
    assert "'--trials'" in wrong.stderr


def test_every_command_can_be_asked_for_its_help(installed):
    done = installed(installed.command, "--help")

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.partition("Commands:")[2].strip().splitlines()] == [
        *("run", "status", "check", "preflight", "repeat", "refit", "report"),
        *("predict", "export", "tensorboard", "look", "unpickle", "train"),
    ]
