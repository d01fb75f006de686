"""Whether Ray still runs under a sweep."""

import os
import re
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
import ray

from sweep.search.ray import vigil as vigil_module
from sweep.search.ray.address import RayFailedError
from sweep.search.ray.vigil import Vigil


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node of Ray's with sockets, and processes none of which has ended."""
    made = SimpleNamespace(
        raylet_socket_name=str(tmp_path / "raylet"),
        plasma_store_socket_name=str(tmp_path / "plasma_store"),
        gcs_address="10.0.0.1:6379",
        dead=[],
        get_logs_dir_path=lambda: "/logs",
    )
    made.dead_processes = lambda: made.dead
    for path in (made.raylet_socket_name, made.plasma_store_socket_name):
        open(path, "w").close()
    monkeypatch.setattr(ray._private.worker, "_global_node", made)
    return made


def watched_by_a_fake_clock(vigil, monkeypatch):
    """Takes the waits and the end of the process out of a vigil, which is over only when it says so."""
    monkeypatch.setattr(vigil_module, "end_at_once", lambda *_: None)
    vigil.over.wait = lambda _: vigil.over.is_set()
    return vigil


@pytest.fixture
def head(node, monkeypatch):
    """The head of a cluster on a fake clock.

    Attributes:
      answers: "" or `(fault, seconds that the look takes)` for each look; None is over after the look before it.
      asked: what was asked at each look.
      waits: of who lost a worker.
    """
    head = SimpleNamespace(answers=[], asked=[], waits=[], resolve=lambda: ["10.0.0.1"], now=0.0, over=False)

    def look(servers, seconds):
        head.asked.append(servers)
        answer = head.answers.pop(0)
        if head.answers[:1] == [None]:
            head.vigil.over.set()
        fault, took = answer or ("", 0.0)
        head.now += took
        return fault

    def begin(vigil, address, start=Vigil.__init__):
        start(vigil, address)
        head.vigil = watched_by_a_fake_clock(vigil, monkeypatch)
        vigil.failed.wait = head.waits.append

    monkeypatch.setattr(Vigil, "__init__", begin)
    monkeypatch.setattr(vigil_module, "fault_of", look)
    monkeypatch.setattr(vigil_module, "resolved", lambda *_: head.resolve())
    monkeypatch.setattr(vigil_module, "time", SimpleNamespace(monotonic=lambda: head.now))
    return head


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("gcs_server", -9, "its gcs_server (process 7) was ended by SIGKILL"),
        ("raylet", 1, "its raylet (process 7) ended with exit code 1"),
    ],
)
def test_a_process_of_rays_that_ends_is_named_with_how(node, name, code, said):
    vigil = Vigil(None)
    vigil.check_now()
    node.dead.append((name, SimpleNamespace(pid=7, returncode=code)))

    with pytest.raises(RayFailedError) as error:
        vigil.check_now()

    assert str(error.value).splitlines() == [
        f"Ray ended under the sweep: {said}; what it says itself is in /logs",
        "Nothing that was recorded is lost; run the same command again to go on.",
    ]


def test_a_session_whose_folder_was_removed_is_no_session_any_more(node):
    vigil = Vigil(None)
    os.remove(node.raylet_socket_name)

    with pytest.raises(RayFailedError, match="raylet, by which workers find it, is gone"):
        vigil.check_now()


@pytest.mark.parametrize(
    ("seconds", "looks"),
    [(0.0, 25), (1.5, 10), (3600.0, 7)],
    ids=["refuses at once", "is silent", "the machine is paused in each look"],
)
def test_a_head_that_does_not_answer_has_25_seconds_to_come_back(head, seconds, looks):
    head.answers = [""] + [("connection refused", seconds)] * 1000
    vigil = Vigil("head:6379")

    vigil._watch()

    assert re.search(r"does not answer any more at 10.0.0.1:6379 \(connection refused\)", vigil.failure)
    assert len(head.asked) == 1 + looks


def test_a_head_that_is_started_anew_within_that_time_ends_nothing(head):
    head.answers = [*[("connection refused", 0.0)] * 24, ""] * 2 + [None]
    vigil = Vigil("head:6379")

    vigil._watch()

    assert not vigil.failure
    assert len(head.asked) == 50


def test_workers_lost_while_the_head_is_started_anew_do_not_give_it_up(head):
    """Each asks at once; none of these looks counts."""
    head.answers = [("connection refused", 0.0)] * 1000 + [""]
    vigil = Vigil("head:6379")

    vigil.check_now()

    assert not vigil.failure
    assert head.waits == [1.0] * 1000


def test_who_lost_a_worker_hears_what_the_thread_has_found(head):
    head.answers = [("connection refused", 0.0)] * 1000
    vigil = Vigil("head:6379")
    vigil.failed.wait = lambda _: vigil._fail("it has gone")

    with pytest.raises(RayFailedError, match="it has gone"):
        vigil.check_now()


def test_a_head_that_comes_back_under_another_address_is_found_there(head):
    found = iter([["10.0.0.1"], ["10.0.0.2"]])
    head.resolve = lambda: next(found)
    head.answers = ["", ("no route to host", 0.0), "", "", None]

    Vigil("head:6379")._watch()

    assert head.asked == [["10.0.0.1"]] * 2 + [["10.0.0.2"]] * 2


def test_a_look_that_fails_ends_the_sweep_with_its_words_if_it_fails_again_and_again(node, monkeypatch):
    def fail():
        raise ValueError("no such table")

    node.dead_processes = fail
    vigil = watched_by_a_fake_clock(Vigil(None), monkeypatch)

    vigil._watch()

    assert "it cannot be watched any more (ValueError: no such table)" in vigil.failure


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pidfd")
def test_the_raylet_of_this_machine_is_known_by_its_socket(node, monkeypatch):
    monkeypatch.setattr(vigil_module, "resolved", lambda *_: [])
    monkeypatch.setattr(vigil_module, "fault_of", lambda *_: "")
    os.remove(node.raylet_socket_name)
    code = (
        "import socket, sys, time\n"
        "server = socket.socket(socket.AF_UNIX)\n"
        "server.bind(sys.argv[1])\n"
        "server.listen()\n"
        "print(flush=True)\n"
        "time.sleep(1000)\n"
    )
    raylet = subprocess.Popen([sys.executable, "-c", code, node.raylet_socket_name], stdout=subprocess.PIPE)
    raylet.stdout.readline()
    vigil = Vigil("10.0.0.1:6379")
    vigil.check_now()

    raylet.kill()
    raylet.communicate()

    with pytest.raises(RayFailedError, match="the raylet of this machine ended"):
        vigil.check_now()

    descriptor = vigil.raylet
    vigil.over.set()
    vigil._watch()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_where_the_driver_waits_for_what_has_gone_the_vigil_ends_it_with_its_words(node, monkeypatch):
    ended = []
    monkeypatch.setattr(vigil_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(vigil_module, "REACTION_SECONDS", 0.0)
    monkeypatch.setattr(vigil_module, "tell", ended.append)
    monkeypatch.setattr(vigil_module, "end_at_once", lambda *words: ended.append(words))
    vigil = Vigil(None)
    vigil.report_instead = lambda: ended.append("the report is made")
    node.dead.append(("raylet", SimpleNamespace(pid=7, returncode=-9)))

    vigil._watch()

    [said, then, (_, code)] = ended
    assert then == "the report is made"
    assert code == 4
    assert "its raylet (process 7) was ended by SIGKILL" in said
    assert "Nothing that was recorded is lost" in said


def test_a_driver_that_comes_back_while_the_vigil_makes_its_report_is_not_ended(node, monkeypatch):
    ended = []
    monkeypatch.setattr(vigil_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(vigil_module, "REACTION_SECONDS", 0.0)
    monkeypatch.setattr(vigil_module, "tell", lambda _: None)
    monkeypatch.setattr(vigil_module, "end_at_once", lambda *words: ended.append(words))
    vigil = Vigil(None)
    vigil.report_instead = vigil.over.set
    node.dead.append(("raylet", SimpleNamespace(pid=7, returncode=-9)))

    vigil._watch()

    assert ended == []


def test_a_socket_at_which_nobody_listens_has_no_server(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path)

    assert vigil_module._end_of_server(path) is None
