"""The ledger in a real PostgreSQL server, which the tests start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from sweep.analysis.record import Record
from sweep.search import refit, repeat
from sweep.search.pruners import new_pruner
from sweep.search.run import main
from sweep.search.runtime import data as sweep_data
from sweep.search.runtime.ledger import Ledger
from sweep.search.status import main as status_main
from sweep.storage.errors import SweepError
from sweep.storage.lock import HeldError
from tests import damage, postgres
from tests.searched import command, data_is, here
from tests.trials import execute, in_memory, open_bridge, outcome

pytestmark = [
    pytest.mark.database,
    pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL's server programs are not installed"),
]
ROOT = Path(__file__).resolve().parents[2]
DATA = in_memory()


@pytest.fixture(scope="module")
def server():
    with postgres.running() as running:
        yield running


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)


def new_ledger(folder, url, sweep_id="b" * 32):
    return Ledger(folder, sweep_id, "accuracy", new_pruner("halving"), url)


def test_a_sweep_in_a_database_is_the_same_sweep(server, tmp_path):
    for name, ledger in (("journal", ""), ("database", server.url)):
        bridge, _ = open_bridge(tmp_path / name, 5, ledger=ledger)
        execute(bridge, DATA)

    assert outcome(tmp_path / "database") == outcome(tmp_path / "journal")
    assert not (tmp_path / "database" / "journal.log").exists()


def test_a_second_driver_of_the_same_sweep_is_refused_though_its_folder_is_another(server, tmp_path):
    first = new_ledger(tmp_path, server.url)

    with pytest.raises(HeldError, match=f"another driver holds this sweep: sweep, pid {os.getpid()} on"):
        new_ledger(tmp_path, server.url)

    first._storage.engine.dispose()
    new_ledger(tmp_path, server.url)


def test_the_lock_of_a_killed_driver_is_free_at_once(server, tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.storage.test_postgres import new_ledger\n"
        f"ledger = new_ledger(Path({str(tmp_path)!r}), {server.url!r}, 'c' * 32)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)

    assert killed.returncode == -signal.SIGKILL
    new_ledger(tmp_path, server.url, "c" * 32)


def test_a_connection_that_breaks_stops_the_sweep_and_the_next_start_goes_on(server, tmp_path, monkeypatch):
    """Optuna would write a trial twice whose commit came through and whose answer did not."""
    monkeypatch.setattr("optuna.storages._rdb.storage.time.sleep", lambda _: None)  # between its tries
    bridge, _ = open_bridge(tmp_path, 4, ledger=server.url, id="d" * 32)
    engine = bridge.ledger._storage.engine
    with engine.connect() as connection:
        connection.connection.driver_connection._usock.shutdown(2)

    with pytest.raises(OSError, match="the connection was lost"):
        bridge.next_order()

    engine.dispose()
    bridge, _ = open_bridge(tmp_path, 4, ledger=server.url, id="d" * 32)
    execute(bridge, DATA)
    assert [trial.state == "RUNNING" for trial in Record(tmp_path).trials] == [False] * 4


def test_a_server_that_is_gone_is_a_storage_that_failed(tmp_path):
    with postgres.running() as gone:
        bridge, _ = open_bridge(tmp_path, 4, ledger=gone.url)
        bridge.next_order()

    with pytest.raises(OSError, match=gone.url):
        bridge.ledger.set(0, "attempt", 2)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://sweeper@127.0.0.1:1/sweeps", "Can't create a connection to host 127.0.0.1 and port 1"),
        ("postgresql://nobody@{host}/sweeps", 'password authentication failed for user "nobody"'),
        ("postgresql://sweeper@{host}/nowhere", 'database "nowhere" does not exist'),
    ],
)
def test_a_server_that_refuses_is_named_in_one_line(server, tmp_path, url, said):
    url = url.format(host=f"127.0.0.1:{server.port}")

    with pytest.raises(OSError, match="postgresql") as error:
        new_ledger(tmp_path, url)

    assert str(error.value).startswith(url)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:canary@h/d",
        "postgresql:///d",
        "postgresql://h",
        "canary",
        "postgresql://h/d?x=canary",
        "postgresql://u:can/ary@h/d",
        "postgresql://u:can#ary@h/d",
        "postgresql://[::1/canary",
        "postgresql://h:canary/d",
        "postgresql://h:99999/d",
    ],
)
def test_a_url_of_something_else_is_refused_and_not_repeated(tmp_path, url):
    result = CliRunner().invoke(main, ["--ledger", url, "--sweep", str(tmp_path / "sweep")])

    assert result.exit_code == 2
    assert "--ledger: must be postgresql://[USER@]HOST[:PORT]/DATABASE" in result.output
    assert not {"canary", "can/ary", "can#ary"} & set(result.output.split())
    assert url not in result.output
    assert not (tmp_path / "sweep").exists()


def test_a_server_that_cannot_be_reached_leaves_no_sweep_behind(tiny_data, tmp_path):
    words = ["--data", str(tiny_data), "--sweep", str(tmp_path / "sweep"), "--ledger", "postgresql://u@127.0.0.1:1/d"]

    result = CliRunner().invoke(main, words)

    assert result.exit_code == 4
    assert "postgresql://u@127.0.0.1:1/d: Can't create a connection" in result.output
    assert not (tmp_path / "sweep").exists()


def test_the_password_comes_from_a_pass_file_that_others_cannot_read(server, tmp_path, monkeypatch):
    monkeypatch.delenv("PGPASSWORD")
    passwords = tmp_path / "passwords"
    passwords.write_text(f"127.0.0.1:*:other:*:x\n127.0.0.1:{server.port}:*:{postgres.USER}:{postgres.PASSWORD}\n")
    monkeypatch.setenv("PGPASSFILE", str(passwords))

    passwords.chmod(0o644)
    with pytest.raises(OSError, match="others can read it"):
        new_ledger(tmp_path, server.url, "e" * 32)
    passwords.chmod(0o600)
    new_ledger(tmp_path, server.url, "e" * 32)


def test_a_database_without_the_sweep_is_no_fresh_start(server, tmp_path):
    bridge, _ = open_bridge(tmp_path, 2, id="f" * 32)
    execute(bridge, DATA)
    file = tmp_path / "sweep.json"
    file.write_text(file.read_text().replace('"ledger": ""', f'"ledger": "{server.url}"'))

    with pytest.raises(SweepError, match="holds no ledger of"):
        Record(tmp_path).trials  # noqa: B018 (read when asked for)
    assert "holds no ledger of" in CliRunner().invoke(status_main, [str(tmp_path)]).output


@pytest.mark.ray
def test_a_password_in_the_url_reaches_no_file_no_log_and_no_screen(server, tiny_data, tmp_path):
    sweep = tmp_path / "sweep"
    words = ["--data", tiny_data, "--sweep", sweep, "--trials", 2, "--max-epochs", 1, "--fix", "arch=mlp"]
    command = [sys.executable, "-m", "search.run", *map(str, words), "--no-baselines"]
    environment = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    began = time.time()
    run = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True, "check": False}

    done = subprocess.run([*command, "--ledger", server.url_with_password], **run)

    assert done.returncode == 0, done.stderr
    assert [trial.state == "RUNNING" for trial in Record(sweep).trials] == [False, False]
    logs = [path for path in Path("/tmp/ray").rglob("*") if path.is_file() and path.stat().st_mtime >= began]
    texts = [path.read_bytes() for path in [*sweep.rglob("*"), *logs] if path.is_file()]
    assert server.url.encode() in b"".join(texts)
    assert postgres.PASSWORD.encode() not in b"".join(texts)
    assert postgres.PASSWORD not in done.stdout + done.stderr

    again = subprocess.run(command, **run)
    assert again.returncode == 4
    assert "password" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_repeat_and_a_refit_of_a_sweep_in_a_database_have_studies_of_their_own_there(server, tmp_path, monkeypatch):
    bridge, _ = open_bridge(tmp_path, 4, pruner="none", ledger=server.url, id="9" * 32)
    sweep_data.save(tmp_path, damage.DATA, "accuracy")
    execute(bridge, damage.DATA, train=damage.train)
    bridge.ledger._storage.engine.dispose()
    data_is(monkeypatch)

    for again, options in ((repeat, ("--top", 2, "--seeds", 2)), (refit, ("--seeds", 1))):
        result = command(again.main, tmp_path, *options, on=here())
        assert result.exit_code == 0, result.output

    found = [len(Record(folder).trials) for folder in (tmp_path, tmp_path / "repeat", tmp_path / "refit")]
    assert found == [4, 4, 1]
    assert not list(tmp_path.rglob("journal.log"))
