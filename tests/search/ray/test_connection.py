"""Starting Ray, and what its failures are told as."""

import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from sweep.search.ray import connection
from sweep.search.ray.address import RayFailedError
from sweep.search.ray.connection import connected, session_folder
from sweep.search.runtime.process import Interrupted
from sweep.storage.programs import PACKAGE
from sweep.trainable.config import ConfigError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Short and long folders for temporary files."""
    short = tmp_path / "s"
    long = tmp_path / ("long" * 20)
    short.mkdir()
    long.mkdir()
    monkeypatch.setattr(connection, "LONGEST_SOCKET_PATH", len(str(short)) + len(connection.SOCKET) + 30)
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    return short, long


def test_rays_session_lies_where_the_paths_of_its_sockets_are_short_enough(places, monkeypatch, capsys):
    short, long = places
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    assert session_folder().parent == short
    assert capsys.readouterr().out == ""

    monkeypatch.setenv("RAY_TMPDIR", str(long))
    monkeypatch.setenv("TMPDIR", str(short))
    assert session_folder().parent == short
    said = capsys.readouterr().out
    assert said.startswith(f"RAY_TMPDIR {long}: Ray's session cannot lie there (its sockets would have paths of ")
    assert said.endswith(f"; it lies in {short}.\n")


def test_where_no_place_is_short_enough_or_can_be_written_each_is_named(places, monkeypatch):
    short, long = places
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    monkeypatch.setenv("TMPDIR", str(short / "missing"))
    monkeypatch.setattr(connection, "DEFAULT_PLACE", str(short / "no more"))

    with pytest.raises(ConfigError) as error:
        session_folder()

    lines = str(error.value).splitlines()
    assert lines[0].startswith(f"RAY_TMPDIR {long}: Ray's session cannot lie there")
    assert "No such file or directory" in lines[1]
    assert lines[-1] == "set RAY_TMPDIR to a folder with a short path that can be written"


@pytest.fixture
def fake_ray(monkeypatch, tmp_path):
    """Replaces what starts Ray; returns what it was started with."""
    seen = SimpleNamespace(options=None, environment=None, ended=0)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(connection, "LONGEST_SOCKET_PATH", 4096)

    def start(**options):
        seen.options, seen.environment = options, dict(os.environ)
        return seen.start()

    monkeypatch.setattr("ray.init", start)
    return seen


@pytest.mark.parametrize("home", [None, "/", "/nonexistent"], ids=["unset", "that of a random user", "not there"])
def test_a_session_of_ones_own_has_a_token_of_its_own_and_needs_no_home(fake_ray, monkeypatch, home):
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    tokens = []

    def refuse():
        tokens.append(fake_ray.environment["RAY_AUTH_TOKEN"])
        raise RuntimeError("far enough")

    fake_ray.start = refuse
    for _ in range(2):
        with pytest.raises(RayFailedError), connected(None):
            pass

    assert fake_ray.environment["RAY_AUTH_MODE"] == "token"
    assert len(set(tokens)) == 2
    assert all(len(token) == 64 for token in tokens)
    assert fake_ray.options["address"] == "local"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device", "/tmp/ray/session"),
        OSError(24, "Too many open files"),
        ValueError("The configured object store size (20 GB) exceeds /dev/shm size (0.06 GB)."),
        PermissionError(13, "Permission denied", "/tmp/ray"),
        Exception("The current node timed out during startup."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_ray_that_does_not_start_is_told_as_that_and_not_as_the_sweeps_storage(fake_ray, error):
    def fail():
        raise error

    fake_ray.start = fail

    with pytest.raises(RayFailedError) as raised, connected(None):
        pass

    said = str(raised.value)
    assert said.startswith("Ray could not be started on this machine: ")
    assert str(error) in said
    assert said.endswith("Nothing that was recorded is lost; run the same command again to go on.")


def test_nothing_listens_at_an_address(monkeypatch):
    monkeypatch.setattr("ray.init", lambda **_: pytest.fail("asked Ray"))

    with (
        pytest.raises(ConfigError, match=r"--address 127.0.0.1:1: no Ray cluster answers at .* \(connection refused\)"),
        connected("127.0.0.1:1"),
    ):
        pass


def test_a_cluster_that_never_lets_the_driver_in_is_given_up(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr("ray.init", lambda **_: never.wait())
    monkeypatch.setattr("sweep.search.ray.address.answers", lambda _: "")
    monkeypatch.setattr(connection, "START_SECONDS", 0.1)

    with pytest.raises(ConfigError, match="no Ray cluster that this machine is part of"), connected("127.0.0.1:1"):
        pass
    never.set()


@pytest.mark.parametrize("address", [None, "127.0.0.1:1"])
def test_a_start_that_does_not_end_is_given_up(fake_ray, monkeypatch, address):
    never = threading.Event()
    fake_ray.start = never.wait
    monkeypatch.setattr("sweep.search.ray.address.answers", lambda _: "")
    monkeypatch.setattr(connection, "START_SECONDS", 0.1)

    with (
        pytest.raises(ConfigError if address else RayFailedError, match="it had not started after"),
        connected(address),
    ):
        pass
    never.set()


def test_a_ray_that_cannot_be_watched_is_ended(fake_ray, monkeypatch):
    fake_ray.start = lambda: None
    monkeypatch.setattr("ray.shutdown", lambda **_: setattr(fake_ray, "ended", fake_ray.ended + 1))
    monkeypatch.setattr(
        "sweep.search.ray.vigil.Vigil", lambda _: (_ for _ in ()).throw(OSError(24, "Too many open files"))
    )

    with pytest.raises(OSError, match="Too many open files"), connected(None):
        pass

    assert fake_ray.ended == 1


def test_a_signal_ends_a_start_of_ray_that_never_ends(monkeypatch):
    """As where it asks an address again and again at which nothing listens."""
    starting = connection._Starting.__new__(connection._Starting)
    starting.started, starting.over = Future(), threading.Event()
    monkeypatch.setattr(connection, "GIVE_UP_SECONDS", 0.0)

    monkeypatch.setattr(connection, "interruptible", lambda: (_ for _ in ()).throw(Interrupted(15)))

    with pytest.raises(Interrupted):
        starting.wait()
    assert starting.over.is_set()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.0"), "Version mismatch"),
        (
            ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379"),
            "run `ray start --address=10.0.0.1:6379`",
        ),
    ],
)
def test_why_a_cluster_does_not_let_the_driver_in_is_said(monkeypatch, error, said):
    def refuse(**_):
        raise error

    monkeypatch.setattr("ray.init", refuse)
    monkeypatch.setattr("sweep.search.ray.address.answers", lambda _: "")

    with pytest.raises(ConfigError) as raised, connected("10.0.0.1:6379"):
        pass

    assert str(raised.value).startswith("--address 10.0.0.1:6379: ")
    assert said in str(raised.value)


def test_it_imports_nothing_heavy():
    program = "import sys, search.ray.connection, search.ray.address; sys.exit(bool({'ray', 'torch'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


HOMELESS = """
import os, pwd
def nobody(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = nobody
os.environ.pop("HOME", None)
from sweep.storage.postgres import _password
from sweep.search.ray.cluster import may_come
from sqlalchemy import make_url
from sweep.trainable.weights import resnet18_weights_at_hand
assert may_come() == []
assert _password(make_url("postgresql://ada@db.lab/sweeps")) is None
assert not resnet18_weights_at_hand()
"""


def test_a_user_without_a_home_lacks_nothing():
    """As in a container that runs under a random number."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PGPASSWORD", "PGPASSFILE")}
    environment.pop("XDG_CACHE_HOME", None)
    environment.pop("TORCH_HOME", None)

    command = [sys.executable, "-c", HOMELESS]
    done = subprocess.run(command, cwd=PACKAGE.parent, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
