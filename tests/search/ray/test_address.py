"""Where Ray runs, and whether a cluster answers there."""

import socket
import sys
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from sweep.search.ray import address as address_module
from sweep.search.ray.address import answers, place, running_here
from sweep.trainable.config import ConfigError


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.parametrize(
    ("given", "variable", "found"),
    [
        (None, None, None),
        (None, "10.0.0.1:6379", "10.0.0.1:6379"),
        ("auto", "10.0.0.1:6379", "10.0.0.1:6379"),
        ("auto", None, "auto"),
        ("auto", "auto", "auto"),
        ("head.lab:6380", "10.0.0.1:6379", "head.lab:6380"),
        ("[fd00::1]:6379", None, "[fd00::1]:6379"),
        (None, "local", None),
        ("local", "10.0.0.1:6379", None),
    ],
)
def test_ray_runs_where_the_address_says_else_where_its_variable_says_else_here(given, variable, found, monkeypatch):
    if variable:
        monkeypatch.setenv("RAY_ADDRESS", variable)

    assert place(given) == found


@pytest.mark.parametrize("by_variable", [True, False])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "is where jobs are submitted to; must be auto, local or HOST:PORT"),
        ("https://head/dashboard", "or submit this command as a job"),
        ("ray://127.0.0.1:10001", "is of a Ray client, and a sweep runs on the cluster itself"),
        ("127.0.0.1", "must be auto, local or HOST:PORT of the head's GCS"),
        ("127.0.0.1:", "must be auto"),
        ("127.0.0.1:port", "must be auto"),
        ("127.0.0.1:70000", "must be auto"),
        ("127.0.0.1:0", "must be auto"),
        ("two words:6379", "must be auto"),
        ("redis://127.0.0.1:6379", "must be auto"),
        ("Auto", "must be auto"),
    ],
)
def test_an_address_that_no_driver_can_use_is_refused_with_where_it_stands(address, said, by_variable, monkeypatch):
    if by_variable:
        monkeypatch.setenv("RAY_ADDRESS", address)

    with pytest.raises(ConfigError) as error:
        place(None if by_variable else address)

    assert str(error.value).startswith(f"RAY_ADDRESS={address}" if by_variable else f"--address {address}")
    assert said in str(error.value)


@pytest.fixture
def server():
    """Starts a server that says some bytes to whoever connects; returns its address."""
    sockets = []

    def start(words):
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def serve():
            connection, _ = listening.accept()
            sockets.append(connection)
            if words is not None:
                with suppress(OSError):  # who asked has heard enough, and is gone
                    connection.sendall(words)
                    connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for each in sockets:
        each.close()


SETTINGS_FRAME = bytes([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100])


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (SETTINGS_FRAME, ""),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what listens there is not Ray"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "what listens there is not Ray"),
        (b"", "what listens there is not Ray"),
        (None, "no answer in 0 s"),
    ],
    ids=["grpc", "http", "ssh", "closes", "silent"],
)
def test_what_listens_at_an_address_is_asked_whether_it_is_ray(server, words, fault):
    assert answers(server(words), seconds=0.2 if words is None else 10) == fault


def test_where_nothing_listens_that_is_known_at_once():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    assert answers(f"127.0.0.1:{port}") == "connection refused"
    assert answers("no-such-host.invalid:6379") != ""


def test_a_name_server_that_hangs_is_waited_for_no_longer_than_the_server_itself(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait())

    assert answers("head.lab:6379", seconds=0.01) == "no answer of a name server in 0 s"
    never.set()


def test_all_the_addresses_of_a_name_have_the_time_together(monkeypatch):
    asked = []

    def silent(kind, server, seconds):
        asked.append((server[0], seconds))
        return "no answer in 2 s"

    monkeypatch.setattr(address_module, "_fault_at", silent)
    there = [(0, 0, 0, "", ("fd00::1", 6379)), (0, 0, 0, "", ("10.0.0.1", 6379))]

    assert address_module.fault_of(there, 3.0) == "no answer in 2 s"
    assert asked == [("fd00::1", 1.5), ("10.0.0.1", 1.5)]


def test_a_server_that_answers_at_the_second_address_of_its_name_answers(server, monkeypatch):
    port = int(server(SETTINGS_FRAME).split(":")[1])
    refuses, answering = (
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, to)) for host, to in (("127.0.0.1", 1), ("127.0.0.1", port))
    )
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [refuses, answering])

    assert answers("head.lab:6379", seconds=10) == ""


def test_a_name_that_no_host_can_have_is_a_fault_and_no_crash():
    assert answers(f"{'a' * 70}.lab:6379").startswith("no name of a host")


def raylet(gcs, folder):
    words = ["/lib/ray/raylet", f"--gcs-address={gcs}", f"--temp_dir={folder}"]
    return SimpleNamespace(info={"cmdline": words})


PRIVATE, LAB, OTHER = (
    raylet("10.0.0.1:1111", "/tmp/sweep-ray-k3x9"),
    raylet("10.0.0.1:6379", "/tmp/ray"),
    raylet("10.0.0.1:7777", "/scratch/ray"),
)


@pytest.fixture
def processes(monkeypatch):
    """Sets the processes of this machine, and what `ray start` has left."""

    def are(*processes, newest=None):
        fake = SimpleNamespace(process_iter=lambda _: [SimpleNamespace(info={"cmdline": None}), *processes])
        monkeypatch.setitem(sys.modules, "psutil", fake)
        monkeypatch.setattr("sweep.search.ray.address.newest_cluster_here", lambda: newest)

    return are


@pytest.mark.parametrize(
    ("there", "newest", "found"),
    [
        ([LAB], None, "10.0.0.1:6379"),
        ([PRIVATE, LAB], None, "10.0.0.1:6379"),
        ([PRIVATE, LAB, OTHER], "10.0.0.1:7777", "10.0.0.1:7777"),
        ([LAB], "10.0.0.1:9999", "10.0.0.1:6379"),
        ([], "10.0.0.1:6379", "10.0.0.1:6379"),
    ],
)
def test_auto_is_the_cluster_that_this_machine_is_part_of(processes, there, newest, found):
    processes(*there, newest=newest)

    assert running_here("--address auto", "sweep-ray-") == found


def test_a_session_that_a_sweep_started_for_itself_is_no_cluster_to_join(processes):
    processes(PRIVATE, PRIVATE)

    with pytest.raises(ConfigError, match="--address auto: no Ray cluster runs on this machine; start one"):
        running_here("--address auto", "sweep-ray-")


def test_of_several_clusters_one_has_to_be_named(processes):
    processes(LAB, OTHER)

    with pytest.raises(ConfigError, match=r"name one of 10\.0\.0\.1:6379, 10\.0\.0\.1:7777"):
        running_here("--address auto", "sweep-ray-")


def test_the_variable_is_more_precise_than_the_word_auto(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")

    with pytest.raises(ConfigError, match=r"RAY_ADDRESS=http.*or give --address HOST:PORT"):
        address_module.place("auto")
