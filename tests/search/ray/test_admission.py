"""Nodes that join a cluster while a sweep runs are looked at, and get trials only where they pass."""

import copy
import pickle
import threading
from types import SimpleNamespace

import pytest
from ray import tune

from sweep.analysis.record import Record
from sweep.search.ray import admission as admission_module
from sweep.search.ray import cluster, gate
from sweep.search.ray.admission import Admission, Placement
from sweep.search.ray.cluster import Node, Room, Workers
from sweep.search.ray.executor import BridgeCallback, BridgeScheduler
from sweep.search.ray.gate import Gate, NodeRefusedError, Verdicts
from tests.trials import open_bridge

OLD, NEW, BAD = (Node(name, {"CPU": 4.0}, name * 8) for name in ("aaaa", "bbbb", "cccc"))
LACKS = ["node cccc: there must be one build of OpenCV", "node cccc: 3 MiB are free"]


class Checks:
    """A check of nodes that takes until it is let on; BAD lacks something."""

    def __init__(self):
        self.asked, self.lets = [], threading.Event()

    def __call__(self, nodes, sweep):
        self.asked.append([node.name for node in nodes])
        assert self.lets.wait(60)
        return {node.id: LACKS if node is BAD else [] for node in nodes}


@pytest.fixture
def checks():
    return Checks()


@pytest.fixture
def admission(checks, monkeypatch, tmp_path):
    """The admission of a sweep that began with OLD; its `told_workers` has what workers would be told."""
    made = Admission(tmp_path, [OLD.id], checks)
    told = Verdicts()
    monkeypatch.setattr(Gate, "opened", lambda self: SimpleNamespace(tell=SimpleNamespace(remote=told.tell)))
    made.told_workers = told
    return made


def looked_at(admission, checks, nodes):
    """What the admission says of nodes once its check of the new ones has ended."""
    admission.admits(nodes)
    checks.lets.set()
    if admission.pending_check:
        admission.pending_check.exception(60)
    return admission.admits(nodes)


def test_a_node_that_joins_is_checked_once_and_gets_trials_only_then(admission, checks):
    first = admission.admits([OLD, NEW])
    again = admission.admits([OLD, NEW])

    assert first == again == [OLD]
    assert admission.told_workers.verdict(NEW.id) is None
    assert looked_at(admission, checks, [OLD, NEW]) == [OLD, NEW]
    assert checks.asked == [["bbbb"]]
    assert admission.told_workers.verdict(NEW.id) == ""
    assert admission.take_news() == []


def test_a_node_that_does_not_pass_is_named_once_with_its_reasons_and_the_others_go_on(admission, checks):
    found = looked_at(admission, checks, [OLD, BAD, NEW])
    again = admission.admits([OLD, BAD, NEW])

    assert found == again == [OLD, NEW]
    assert admission.take_news() == [f"{line}. It gets no trial." for line in LACKS]
    assert admission.take_news() == []
    assert admission.refused.keys() == {BAD.id}
    assert admission.told_workers.verdict(BAD.id) == "\n".join(LACKS)
    assert checks.asked == [["cccc", "bbbb"]]


def test_a_check_that_fails_itself_is_made_again(admission, checks):
    fails = [OSError("no space left")]

    def check(nodes, sweep):
        if fails:
            raise fails.pop()
        return checks(nodes, sweep)

    admission.check = check

    assert looked_at(admission, checks, [OLD, NEW]) == [OLD]
    assert admission.take_news() == []
    assert looked_at(admission, checks, [OLD, NEW]) == [OLD, NEW]


def test_room_is_on_the_nodes_that_passed(admission, checks, monkeypatch):
    there = [OLD, BAD, NEW]
    monkeypatch.setattr(cluster, "nodes", lambda: there)
    monkeypatch.setattr(cluster, "may_come", list)
    room = Room(Workers(2, 0, 0, 2), admission)

    before = room._fits()
    looked_at(admission, checks, there)

    assert before == 2
    assert room._fits() == 4


def test_of_nodes_that_an_autoscaler_may_start_those_that_were_refused_do_not_count(admission, checks, monkeypatch):
    head = Node("head", {"CPU": 0.0, cluster.HEAD: 1.0}, OLD.id)
    monkeypatch.setattr(cluster, "nodes", lambda: [head, BAD])
    monkeypatch.setattr(cluster, "may_come", lambda: [Node("worker", {"CPU": 4.0})] * 3)
    looked_at(admission, checks, [head, BAD])

    assert Room(Workers(2, 0, 0, 2), admission)._fits() == 4


def test_places_are_asked_for_on_no_node_that_was_refused_and_are_one_request_to_tune(admission, checks, monkeypatch):
    asked = []
    monkeypatch.setattr(admission_module, "placement_group", lambda *words, **more: asked.append((words, more)))
    first, other = (Placement({"cpu": 2, "gpu": 1, "tpu": 1}, admission) for _ in range(2))
    admission.admits([OLD, BAD])
    first.to_placement_group()
    looked_at(admission, checks, [OLD, BAD])
    other.to_placement_group()

    bundle = {"CPU": 2.0, "GPU": 1.0, "tpu": 1.0}
    assert [words for words, _ in asked] == [([bundle], "PACK")] * 2
    assert asked[0][1] == {"bundle_label_selector": None}
    assert asked[1][1] == {"bundle_label_selector": [{"ray.io/node-id": f"!in({BAD.id})"}]}
    assert first == other
    assert hash(first) == hash(other)
    for sent in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert type(sent) is tune.PlacementGroupFactory
        assert sent.required_resources == bundle


@pytest.fixture
def on_node(monkeypatch):
    """Makes this process a worker on a node whose driver says one thing after the other; None: nothing yet."""

    def choose(node, *verdicts):
        answers = list(verdicts)

        def get_actor(name):
            if answers[0] is None:
                answers.pop(0)
                raise ValueError(f"no actor {name}")
            return SimpleNamespace(verdict=SimpleNamespace(remote=lambda of: answers.pop(0) if of == node else None))

        context = SimpleNamespace(get_node_id=lambda: node)
        ray = SimpleNamespace(get_runtime_context=lambda: context, get=lambda answer: answer, get_actor=get_actor)
        monkeypatch.setattr(gate, "ray", ray)
        monkeypatch.setattr(gate, "ASK_SECONDS", 0.001)
        return answers

    return choose


def test_a_worker_on_a_node_of_the_start_asks_nobody(on_node):
    on_node(OLD.id)

    Gate(frozenset({OLD.id}), "nodes")()


def test_a_worker_on_a_node_that_joined_waits_for_the_drivers_answer(on_node):
    answers = on_node(NEW.id, None, None, "")

    Gate(frozenset({OLD.id}), "nodes")()

    assert answers == []


def test_a_worker_on_a_node_that_was_refused_takes_no_trial(on_node):
    on_node(BAD.id, None, "node cccc: no OpenCV")

    with pytest.raises(NodeRefusedError, match="node cccc: no OpenCV"):
        Gate(frozenset({OLD.id}), "nodes")()


def test_a_worker_that_nobody_answers_gives_up(on_node, monkeypatch):
    monkeypatch.setattr(gate, "WAIT_SECONDS", 0.003)
    on_node(BAD.id, *[None] * 5)

    with pytest.raises(NodeRefusedError, match="the driver has not looked at this node"):
        Gate(frozenset({OLD.id}), "nodes")()


def test_a_trial_whose_worker_was_refused_goes_elsewhere_and_loses_no_attempt(tmp_path):
    bridge, watcher = open_bridge(tmp_path / "sweep", 1, attempts=1)
    trial = SimpleNamespace(config={"order": bridge.next_order().to_dict()}, error_file=tmp_path / "error.txt")
    trial.error_file.write_text("Failure # 1\nsearch.ray.gate.NodeRefusedError: node cccc: no OpenCV\n")

    BridgeScheduler(bridge).on_trial_error(None, trial)
    order = bridge.next_order()

    assert (order.number, order.attempt) == (0, 2)
    assert "losses" not in bridge.ledger.trial(0).user_attrs
    (said,) = watcher.messages
    assert said == "trial 0: its node did not pass the checks, goes on elsewhere from its newest checkpoint"
    assert [trial.state for trial in Record(tmp_path / "sweep").trials] == ["RUNNING"]


def test_what_a_node_lacks_is_said_by_the_thread_that_runs_the_sweep(tmp_path, admission, checks):
    bridge, watcher = open_bridge(tmp_path / "sweep", 1)
    looked_at(admission, checks, [OLD, BAD])
    watch = BridgeCallback(bridge, lambda: 1, is_local=False, admission=admission).on_step_begin

    watch(1, [])
    watch(2, [])

    assert watcher.messages == [f"{line}. It gets no trial." for line in LACKS]
