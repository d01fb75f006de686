"""What a trial gets of a cluster, and where that is."""

import json
import threading
from concurrent.futures import Future
from functools import partial
from io import StringIO
from types import SimpleNamespace

import pytest

from sweep.search.ray import cluster
from sweep.search.ray.cluster import Node, Workers, may_come, plan_workers
from sweep.search.runtime.start import Start
from sweep.trainable.config import ConfigError

started = partial(Start, "python -m search.run")
LAPTOP = Node("here", {"CPU": 8.0, "memory": 1e9, "object_store_memory": 1e9, "node:127.0.0.1": 1.0})
HEAD = Node("head", {"memory": 1e9})
GPU_HEAD = Node("head", {"CPU": 8.0, "GPU": 1.0, cluster.HEAD: 1.0})
SMALL, LARGE = Node("small", {"CPU": 4.0, "GPU": 1.0}), Node("large", {"CPU": 16.0, "GPU": 2.0, "memory": 1e9})


@pytest.mark.parametrize(
    ("there", "asked", "expected"),
    [
        ([LAPTOP], started(), Workers(1, 0, 0, 8)),
        ([LAPTOP], started(cpus_per_trial=2), Workers(2, 0, 0, 4)),
        ([LAPTOP], started(concurrency=3), Workers(1, 0, 0, 3, most=3)),
        ([LAPTOP], started(memory_per_trial=5 * 10**8), Workers(1, 0, 5 * 10**8, 2)),
        ([LARGE], started(), Workers(8, 1, 0, 2)),
        ([LARGE], started(gpus_per_trial=0.5), Workers(4, 0.5, 0, 4)),
        ([LARGE], started(gpus_per_trial=0.1), Workers(1, 0.1, 0, 16)),
        ([LARGE], started(cpus_per_trial=2), Workers(2, 1, 0, 2)),
        ([LARGE], started(gpus_per_trial=0), Workers(1, 0, 0, 16)),
        ([LARGE], started(gpus_per_trial=2), Workers(16, 2, 0, 1)),
        ([HEAD, SMALL, LARGE], started(), Workers(4, 1, 0, 3)),
        ([HEAD, SMALL, LARGE], started(cpus_per_trial=8), Workers(8, 1, 0, 2)),
        ([HEAD, LAPTOP, LAPTOP], started(cpus_per_trial=5), Workers(5, 0, 0, 2)),
        (
            [Node("tpu", {"CPU": 2.0, "tpu": 2.0})],
            started(resources_per_trial={"tpu": 1.0}),
            Workers(1, 0, 0, 2, {"tpu": 1.0}),
        ),
    ],
)
def test_the_default_is_a_trial_a_gpu_else_a_trial_a_cpu_and_each_fits_on_one_node(there, asked, expected):
    assert plan_workers(there, [], asked) == expected


@pytest.mark.parametrize(
    ("there", "asked", "message"),
    [
        ([LAPTOP], started(gpus_per_trial=1), "asked for 1 CPU, 1 GPU a trial on one node; here has 8 CPU, 0 GPU"),
        (
            [LAPTOP, LAPTOP],
            started(cpus_per_trial=16),
            "asked for 16 CPU a trial on one node; 2 x here has 8 CPU, 0 GPU",
        ),
        ([LAPTOP], started(memory_per_trial=2**34), "asked for 1 CPU, 16.0 GiB of memory a trial"),
        ([LAPTOP], started(resources_per_trial={"tpu": 1.0}), "asked for 1 CPU, 1 tpu a trial"),
        ([], started(), "no node"),
    ],
)
def test_what_can_never_fit_is_an_error_that_names_what_was_asked_and_what_there_is(there, asked, message):
    with pytest.raises(ConfigError) as error:
        plan_workers(there, [], asked)

    assert message in str(error.value)


def test_a_head_that_may_train_counts_beside_what_an_autoscaler_may_start():
    assert plan_workers([GPU_HEAD], [LAPTOP], started()) == Workers(8, 1, 0, 1)
    assert plan_workers([GPU_HEAD, SMALL], [SMALL] * 3, started(cpus_per_trial=4)) == Workers(4, 1, 0, 4)


def test_what_an_autoscaler_may_start_counts_and_is_named_where_that_is_too_small_too():
    assert plan_workers([HEAD], [SMALL] * 3, started()) == Workers(4, 1, 0, 3)
    with pytest.raises(ConfigError, match="there may come 3 x small has 4 CPU, 1 GPU"):
        plan_workers([HEAD], [SMALL] * 3, started(cpus_per_trial=8))


def test_what_may_come_is_read_where_rays_launcher_leaves_it_the_preferred_kinds_first(tmp_path, monkeypatch):
    config = {
        "max_workers": 3,
        "head_node_type": "head",
        "available_node_types": {
            "head": {"resources": {"CPU": 0}},
            "on_demand": {"resources": {"CPU": 4}, "max_workers": 4},
            "spot": {"resources": {"CPU": 8}, "max_workers": 2, "priority": 1},
        },
    }
    monkeypatch.setattr(cluster, "BOOTSTRAP", tmp_path / "config.yaml")
    assert may_come() == []
    (tmp_path / "config.yaml").write_text(json.dumps(config))

    assert may_come() == [Node("spot", {"CPU": 8})] * 2 + [Node("on_demand", {"CPU": 4})]


def test_nodes_that_are_still_joining_are_waited_for_with_a_word(monkeypatch):
    said = StringIO()
    joining = iter([[HEAD], [HEAD], [HEAD, SMALL]])
    monkeypatch.setattr(cluster, "nodes", lambda: next(joining))
    monkeypatch.setattr(cluster, "may_come", list)
    monkeypatch.setattr(cluster.time, "sleep", lambda _: None)

    assert cluster.workers_there(started(), is_local=False, out=said).concurrency == 1
    assert said.getvalue() == "No node has room for a trial yet; waiting 30 s for one to join.\n"


def test_after_half_a_minute_nothing_is_waited_for_and_a_pause_of_the_machine_is_no_waiting(monkeypatch):
    waited = []
    monkeypatch.setattr(cluster, "nodes", lambda: [HEAD])
    monkeypatch.setattr(cluster, "may_come", list)
    monkeypatch.setattr(cluster.time, "sleep", waited.append)
    monkeypatch.setattr(cluster.time, "monotonic", lambda: 1000.0 * len(waited))

    with pytest.raises(ConfigError, match="no trial could ever start"):
        cluster.workers_there(started(), is_local=False, out=StringIO())
    assert 29 <= sum(waited) <= 30


def every_node():
    """An admission that has passed all nodes."""
    return SimpleNamespace(admits=list, refused={})


def test_how_many_trials_fit_is_asked_without_waiting_for_the_answer(monkeypatch):
    """The cluster's head may have gone, and the driver has to see that."""
    answer, asked = threading.Event(), threading.Event()

    def nodes():
        asked.set()
        answer.wait(60)
        return [SMALL, SMALL]

    monkeypatch.setattr(cluster, "nodes", nodes)
    monkeypatch.setattr(cluster, "may_come", list)
    monkeypatch.setattr(cluster, "QUERY_SECONDS", -1.0)
    room = cluster.Room(Workers(4, 1, 0, 1), every_node())

    assert room() == 1
    assert asked.wait(60)
    assert room() == 1
    query = room.query
    answer.set()
    assert query.result(60) == 2
    assert room() == 2


def test_a_query_of_the_nodes_that_fails_leaves_the_room_as_it_was(monkeypatch):
    """Whether Ray has ended is for others to say: its head may be back in a moment."""
    monkeypatch.setattr(cluster, "nodes", lambda: pytest.fail("asked again at once"))
    room = cluster.Room(Workers(4, 1, 0, 3), every_node())
    room.query = Future()
    room.query.set_exception(ConnectionError("the GCS is not there"))

    assert room() == 3
    assert room.query is None


@pytest.mark.parametrize(
    ("workers", "text"),
    [
        (Workers(1, 0, 0, 2), "2 trials at a time, 1 CPU each"),
        (Workers(4, 0.5, 0, 4), "4 trials at a time, 0.5 GPU and 4 CPU each"),
        (Workers(1, 0, 0, 1, {"tpu": 1.0}), "1 trial at a time, 1 CPU, 1 tpu each"),
    ],
)
def test_the_first_line_says_gpu_or_cpu(workers, text):
    assert str(workers) == text
