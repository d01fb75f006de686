"""The checks before a sweep: each problem names the node, its cause and what to do."""

import os
import time
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sweep.search import preflight
from sweep.search.ray import cluster as search_ray_cluster_module
from sweep.search.ray import readiness
from sweep.search.ray.cluster import Node, nodes
from sweep.search.ray.connection import connected, prepare
from sweep.search.ray.node import DRIVER_FILE, Machine, inspect_machine
from sweep.search.ray.readiness import check_all, check_here, check_nodes, problems
from sweep.search.runtime.start import Start
from sweep.trainable.config import ConfigError
from tests import buckets
from tests.clusters import cluster

HERE = Machine("3.11.7", {"torch": "2.14.1", "ray": "2.60.0"}, ["opencv-python-headless"], None, 1 << 40, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"python": "3.12.1"}, ["node n: Python 3.12.1, the driver has 3.11.7; use one on all nodes"]),
        (
            {"versions": {"torch": "2.13.0"}},
            ["torch 2.13.0, the driver has 2.14.1; ray is missing, the driver has 2.60.0; install requirements.lock"],
        ),
        ({"opencv": ["opencv-python", "opencv-python-headless"]}, ["one build of OpenCV, got opencv-python, opencv-"]),
        ({"opencv": []}, ["must be one build of OpenCV, got none"]),
        ({"gpus": 0}, ["node n: Ray counts 1 GPU, torch can use 0; see `nvidia-smi` there"]),
        ({"free_bytes": 1 << 20}, ["node n: 1 MiB are free where sweeps/x lies, at least 1024 are needed; make room"]),
        (
            {"storage": "Permission denied"},
            ["node n: cannot use sweeps/x (Permission denied); put the sweep on a file"],
        ),
    ],
)
def test_a_problem_of_a_node_is_a_line_with_its_cause_and_the_way_out(change, said):
    lines = problems("node n", replace(HERE, **({"gpus": 1} | change)), HERE, 1, Path("sweeps/x"))

    assert len(lines) == len(said)
    assert all(text in line for text, line in zip(said, lines, strict=True))


def test_a_machine_is_looked_at_where_the_sweep_lies(tmp_path):
    (tmp_path / DRIVER_FILE).write_text(DRIVER_FILE)

    machine = inspect_machine(str(tmp_path), "a", counts_gpus=False)

    assert (tmp_path / "a").read_text() == "a"
    assert machine.storage == ""
    assert machine.free_bytes
    assert machine.versions["torch"]
    assert inspect_machine(str(tmp_path / "elsewhere"), "a", counts_gpus=False).storage


def test_this_machine_is_refused_with_two_builds_of_opencv_and_nothing_is_left_behind(tmp_path, monkeypatch):
    more = SimpleNamespace(metadata={"Name": "opencv-python"}, version="5.0.0")
    monkeypatch.setattr("sweep.search.ray.node.distributions", lambda: [more, *distributions()])

    with pytest.raises(ConfigError, match="this machine: there must be one build of OpenCV"):
        check_here(tmp_path / "sweep")

    assert list((tmp_path / "sweep").iterdir()) == []


@pytest.mark.ray
def test_each_node_is_looked_at_where_the_sweep_lies_by_workers_that_have_the_clusters_token(tmp_path, monkeypatch):
    """The nodes have neither the code nor the address of the bucket's server, but for what the driver sends."""

    def asked(sweep):
        output, _ = (driver := there.drive("search.preflight", "--sweep", sweep)).communicate(timeout=120)
        return driver.returncode, output

    for name, value in buckets.KEYS.items():
        monkeypatch.setenv(name, value)
    with cluster(tmp_path / "home") as there, buckets.running() as server:
        there.add(2)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server["AWS_ENDPOINT_URL"])
        code, output = asked(f"s3://{buckets.BUCKET}/sweep")
        (there.folder / ".ray" / "auth_token").unlink()
        without_token = asked(tmp_path / "sweep")

    assert code == 0, output
    assert output.count("ready") == 2
    assert "2 trials at a time, 1 CPU each" in output
    assert not (tmp_path / "sweep").exists()
    assert without_token[0] == 2
    assert "Traceback" not in without_token[1]
    assert "put the cluster's token into ~/.ray/auth_token" in without_token[1]


def _refuses(place, name, counts_gpus):
    raise OSError("no module named torch")


def _hangs(place, name, counts_gpus):
    time.sleep(60)


def _writes_elsewhere(place, name, counts_gpus):
    return inspect_machine(place, "elsewhere", counts_gpus)


@pytest.mark.ray
def test_a_node_that_cannot_run_trials_is_named_and_one_that_has_left_is_not(tmp_path, monkeypatch):
    prepare()
    refused = {}
    with connected(None):
        for stub in (_writes_elsewhere, _refuses, _hangs):
            if stub is _hangs:
                monkeypatch.setattr(readiness, "ANSWER_SECONDS", 1.0)
            with pytest.raises(ConfigError) as error:
                check_nodes(nodes(), tmp_path / "sweep", stub)
            refused[stub] = str(error.value)
        monkeypatch.undo()
        check_nodes([*nodes(), Node("that has left", {}, "ab" * 28)], tmp_path / "sweep")

    assert "is not seen here; put the sweep on a file system that all nodes share" in refused[_writes_elsewhere]
    assert "cannot run a worker (OSError: no module named torch); install requirements.lock" in refused[_refuses]
    assert "no answer in 1 s" in refused[_hangs]


def test_without_a_cluster_nothing_answers(tmp_path, monkeypatch):
    words = ["--address", "127.0.0.1:1", "--sweep", str(tmp_path / "sweep")]

    result = CliRunner().invoke(preflight.main, words)

    assert result.exit_code == 2
    assert "--address 127.0.0.1:1: no Ray cluster answers" in result.output


def test_the_screen_of_the_checks_has_no_words_of_rays_own(tmp_path, monkeypatch, capfd):
    @contextmanager
    def talkative(address, out):
        os.write(1, b"Started a local Ray instance.\n")
        os.write(2, b"WARNING: The object store is using /tmp\n")
        yield
        os.write(2, b"E0000 gcs_client: failed\n")

    monkeypatch.setattr("sweep.search.ray.connection.connected", talkative)
    monkeypatch.setattr(search_ray_cluster_module, "nodes", lambda: ["head"])
    monkeypatch.setattr(
        search_ray_cluster_module, "workers_there", lambda asked, is_local, out: "1 trial at a time, 1 CPU each"
    )

    lines = check_all(tmp_path, Start("the command"))

    assert lines == ["node head: ready", "1 trial at a time, 1 CPU each."]
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")
