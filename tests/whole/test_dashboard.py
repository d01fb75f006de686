"""optuna-dashboard reads a ledger of ours; it could write, so it gets a copy."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from sweep.analysis.record import Record
from sweep.storage.journal import Journal, JournalError
from tests.trials import execute, in_memory, open_bridge

DASHBOARD = Path(sys.executable).with_name("optuna-dashboard")
DEADLINE_SECONDS = 300.0


@pytest.fixture
def sweep(tmp_path):
    bridge, _ = open_bridge(tmp_path / "sweep", 5)
    execute(bridge, in_memory())
    return tmp_path / "sweep"


@contextmanager
def dashboard(journal):
    """Yields the address of a dashboard that listens, and ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", journal.with_name("dashboard.log")
    words = [DASHBOARD, journal, "--host", "127.0.0.1", "--port", str(port), "--server", "wsgiref"]
    with open(log, "wb") as file:
        process = subprocess.Popen(words, cwd=journal.parent, stdout=file, stderr=file)
    try:
        wait_until_it_answers(f"{address}/api/meta", process, log)
        yield address
    finally:
        process.terminate()
        process.wait()


def wait_until_it_answers(url, process, log):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer(url)
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def answer(url, method="GET", body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
        return json.loads(response.read() or "null")


def test_optuna_dashboard_shows_the_trials_of_a_copy_and_what_it_writes_stays_there(sweep, tmp_path):
    before = (sweep / "journal.log").read_bytes()
    copy = Path(shutil.copy(sweep / "journal.log", tmp_path / "copy.log"))

    with dashboard(copy) as address:
        (study,) = answer(f"{address}/api/studies")["study_summaries"]
        shown = answer(f"{address}/api/studies/{study['study_id']}")["trials"]
        note = {"version": 1, "body": "the one to repeat"}
        answer(f"{address}/api/studies/{study['study_id']}/{shown[0]['trial_id']}/note", "PUT", note)

    record = Record(sweep)
    assert study["study_name"] == record.file.id
    assert [trial["number"] for trial in shown] == [0, 1, 2, 3, 4]
    for trial, ours in zip(shown, record.trials, strict=True):
        state = "Fail" if ours.state == "FAIL" else ours.state.capitalize()
        assert trial["state"] == state
        steps = [(value["step"], value["value"]) for value in trial["intermediate_values"]]
        assert len(steps) == ours.epochs
        assert ours.value is None or steps[-1] == (ours.epochs, ours.value)
        assert {parameter["name"] for parameter in trial["params"]} == set(ours.params)

    assert (sweep / "journal.log").read_bytes() == before
    with pytest.raises(JournalError, match="checksum"):  # why it is not the journal itself that is shown
        Journal(copy).read_logs(0)
