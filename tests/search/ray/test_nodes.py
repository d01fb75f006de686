"""Sweeps over several nodes: workers and nodes that go while trials run, a head that goes with its driver."""

import json
import os
import re
import signal
import subprocess

import pytest
import yaml
from click.testing import CliRunner
from ray.autoscaler._private.util import prepare_config

from sweep.analysis.record import Record
from sweep.search import status
from sweep.storage.errors import SweepError
from sweep.trainable.worker.order import node_name
from tests.clusters import RAY, cluster, command_of, until, workers_of
from tests.drivers import ROOT

pytestmark = pytest.mark.ray
FAKE_PORT = 6379  # of the head, where the nodes of Ray's fake provider look for it
EPOCHS = 40
HEAD_THAT_TRAINS = ("--num-cpus=1", "--include-dashboard=false", "--no-monitor")  # a node less to start
SMALL = ("--no-baselines", "--pruner", "none", "--sampler", "random", "--fix", "arch=mlp")


def words(data, sweep, trials, epochs):
    lasting = ("--max-epochs", epochs, "--fix", f"epochs={epochs}", "--fix", "batch_size=16")
    return "--data", data, "--sweep", sweep, "--trials", trials, *SMALL, *lasting


def ended(driver):
    output, _ = driver.communicate(timeout=300)
    return driver.returncode, output


def running(sweep):
    """The trials that have made a report, by the node that they run on."""
    try:
        return {trial.node: trial.number for trial in Record(sweep).trials if trial.state == "RUNNING" and trial.node}
    except SweepError:  # not begun yet
        return {}


def test_workers_and_nodes_come_and_go(tiny_data, tmp_path):
    """The nodes have neither the code nor a checkout to take it from."""
    sweep, quick = tmp_path / "sweep", tmp_path / "quick"
    with cluster(tmp_path / "home", head=None) as there:
        driver = there.drive("tests.slow_run", quick, *words(tiny_data, sweep, 2, EPOCHS), "--attempts", 2)
        first, second = there.start_head(*HEAD_THAT_TRAINS), there.add()  # while the driver starts
        until(lambda: len(running(sweep)) == 2, "two trials train on two nodes", driver)
        on = running(sweep)
        shown = CliRunner().invoke(status.main, [str(sweep)]).output
        assert all(f"node {node}: runs {number}; 0 trials ended there" in shown for node, number in on.items())
        drained, draining = drain(there, second)
        os.kill(workers_of([first], driver)[0], signal.SIGKILL)
        assert draining.wait() == 0
        second.kill()
        quick.touch()
        code, output = ended(driver)

    assert code == 0, output
    assert f"trial {on[drained]}: its node was drained" in output
    assert output.count("worker lost in attempt 1") == 1
    assert_whole(sweep, 2)
    losses = [trial.user_attrs.get("losses", 0) for trial in Record(sweep).study.get_trials()]
    assert sum(losses) == 1  # of the killed worker's alone: a drained node counts for none


def test_a_node_that_joins_later_gets_trials_once_it_has_passed_the_checks_and_else_none(tiny_data, tmp_path):
    """Both join while a trial waits for a node: the one on which it ran is gone."""
    sweep, quick, more = tmp_path / "sweep", tmp_path / "quick", tmp_path / "more" / "opencv_python-1.0.dist-info"
    more.mkdir(parents=True)
    (more / "METADATA").write_text("Metadata-Version: 2.1\nName: opencv-python\nVersion: 1.0\n")
    with cluster(tmp_path / "home") as there:
        first = there.add()
        driver = there.drive("tests.slow_run", quick, *words(tiny_data, sweep, 2, EPOCHS), "--attempts", 2)
        until(lambda: bool(running(sweep)), "a trial trains", driver)
        first.kill()
        bad = name_of(there.add(PYTHONPATH=str(more.parent)))
        good = name_of(there.add())
        until(lambda: good in running(sweep), "a trial trains on the node that passed", driver)
        quick.touch()
        code, output = ended(driver)

    assert code == 0, output
    assert (
        output.count(f"node {bad}: there must be one build of OpenCV, got opencv-python, opencv-python-headless") == 1
    )
    assert_whole(sweep, 2)
    assert {trial.node for trial in Record(sweep).trials} == {good}
    losses = [trial.user_attrs.get("losses", 0) for trial in Record(sweep).study.get_trials()]
    assert losses == [1, 0]  # of the node that was killed; to be sent away from the bad one counts for none


def test_a_new_cluster_goes_on_where_head_and_driver_were_killed(tiny_data, tmp_path):
    sweep, quick = tmp_path / "sweep", tmp_path / "quick"
    asked = (quick, *words(tiny_data, sweep, 2, EPOCHS))
    with cluster(tmp_path / "home", HEAD_THAT_TRAINS) as there:
        driver = there.drive("tests.slow_run", *asked)
        until(lambda: bool(running(sweep)), "a trial trains", driver)
        driver.kill()
        driver.communicate()
        there.nodes[0].kill()

    quick.touch()
    with cluster(tmp_path / "other", head=None) as there:
        driver = there.drive("tests.slow_run", *asked)
        there.start_head(*HEAD_THAT_TRAINS)  # while the driver starts
        code, output = ended(driver)

    assert code == 0, output
    assert "Goes on: 0 trials had ended, 1 continues from its checkpoint." in output
    assert_whole(sweep, 2)


def assert_whole(sweep, trials):
    """None is lost, and each has each of its epochs once."""
    found = Record(sweep).trials
    assert [(trial.number, trial.state) for trial in found] == [(number, "COMPLETE") for number in range(trials)]
    assert [[epoch["epoch"] for epoch in trial.history] for trial in found] == [list(range(1, EPOCHS + 1))] * trials


def drain(there, node):
    """As an autoscaler does with a node that its cloud is about to take away; its name, and what is doing it."""
    found, address = about_raylet(node)
    about = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot"]
    command = [RAY, "drain-node", "--address", there.address, "--node-id", found, *about]
    doing = subprocess.Popen(
        [*map(str, command), "--deadline-remaining-seconds", "60"],
        env=there.environment,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    return node_name(address, found), doing


def about_raylet(node):
    """Ray's id of a node, and its address."""
    raylet = command_of(node.named("raylet")[0])
    return re.search(r"--node_id=(\w+)", raylet)[1], re.search(r"--node_ip_address=(\S+)", raylet)[1]


def name_of(node):
    found, address = about_raylet(node)
    return node_name(address, found)


def test_the_autoscaler_starts_the_templates_workers_from_none_and_ends_them_again(tiny_data, tmp_path, monkeypatch):
    sweep, home = tmp_path / "sweep", tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(ROOT)  # the template mounts it
    config = prepare_config(yaml.safe_load((ROOT / "cluster.yaml").read_text()))
    provider = {"type": "fake_multinode", "disable_node_updaters": True, "use_node_id_as_ip": True}
    config |= {"provider": provider, "docker": {}, "file_mounts": {}, "max_workers": 1, "idle_timeout_minutes": 0.1}
    kinds = config["available_node_types"]
    kinds["ray.head.default"] = kinds.pop(config["head_node_type"])  # the name that the fake provider has for it
    config["head_node_type"] = "ray.head.default"
    for about in kinds.values():
        about |= {"node_config": {}, "resources": {"CPU": about["resources"]["CPU"]}}  # no GPU is here
    (home / "ray_bootstrap_config.yaml").write_text(json.dumps(config))  # as Ray's launcher leaves it on the head
    fake = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
    head = ("--num-cpus=0", "--include-dashboard=false", f"--autoscaling-config={home}/ray_bootstrap_config.yaml")
    with cluster(home, head, FAKE_PORT, **fake) as there:
        raylets = lambda: len(there.nodes[0].named("raylet"))  # noqa: E731
        before = raylets()
        driver = there.drive("search.run", *words(tiny_data, sweep, 2, 3), "--cpus-per-trial", 4)
        until(lambda: raylets() == 2, "a worker node comes", driver)
        code, output = ended(driver)
        until(lambda: raylets() == 1, "it goes again")

    assert before == 1
    assert code == 0, output
    assert "1 trial at a time, 4 CPU each" in output
    assert [trial.state for trial in Record(sweep).trials] == ["COMPLETE"] * 2
