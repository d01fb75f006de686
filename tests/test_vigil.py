"""Whether Ray still runs under a sweep."""

import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
import ray

from search import vigil as vigil_module
from search.connection import RayFailedError
from search.vigil import LOOKS_AT_THE_GCS, Vigil


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


def test_a_head_that_does_not_answer_is_given_up_after_some_looks_in_a_row(node, monkeypatch):
    faults = iter(["no answer in 3 s", "", *["connection refused"] * LOOKS_AT_THE_GCS])
    monkeypatch.setattr(vigil_module, "answers", lambda *_: next(faults))
    vigil = Vigil("10.0.0.1:6379")

    vigil.check_now()  # the second look answers
    with pytest.raises(RayFailedError, match=r"does not answer any more at 10.0.0.1:6379 \(connection refused\)"):
        vigil.check_now()
    assert next(faults, None) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pidfd")
def test_the_raylet_of_this_machine_is_known_by_its_socket(node, monkeypatch):
    monkeypatch.setattr(vigil_module, "answers", lambda *_: "")
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


def test_where_the_driver_waits_for_what_has_gone_the_vigil_ends_it_with_its_words(node, monkeypatch):
    ended = []
    monkeypatch.setattr(vigil_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(vigil_module, "REACTION_SECONDS", 0.0)
    monkeypatch.setattr(vigil_module, "end_at_once", lambda *words: ended.append(words))
    vigil = Vigil(None)
    node.dead.append(("raylet", SimpleNamespace(pid=7, returncode=-9)))

    vigil._watch()

    [(said, code)] = ended
    assert code == 4
    assert "its raylet (process 7) was ended by SIGKILL" in said
    assert "Nothing that was recorded is lost" in said


def test_a_socket_at_which_nobody_listens_has_no_server(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path)

    assert vigil_module._end_of_server(path) is None
