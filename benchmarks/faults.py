"""Causes real failures of Ray outside of trials, each in a whole sweep with a driver process and a real Ray.

It measures what the user sees: the seconds until the screen says what happened, the exit code, whether there are a
report and a ledger with every ended trial, and whether the same command then continues to the end.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sweep.analysis.record import Record
from sweep.storage.errors import SweepError
from sweep.storage.states import State
from tests.clusters import RayNode, cluster
from tests.drivers import ROOT

TRIALS = 6
MESSAGE_SECONDS = 30.0  # within which the screen must say what happened
SIGNAL_SECONDS = 10.0  # within which a signal ends any wait
PAUSE_SECONDS = 130.0  # longer than the shortest time after which an epoch counts as hung
END_SECONDS = 900.0  # within which a driver must end, even on a busy machine
SWEEP = ("--max-epochs", 4, "--fix", "arch=mlp", "--fix", "epochs=4", "--no-baselines", "--pruner", "none")


@dataclass
class Driver:
    """The process of a sweep's driver, with its output and when each line of it came.

    Attributes:
      process: the driver's process.
      began: when it was started.
      lines: `(seconds since the start, line)` of both output streams together.
      news: is notified about each line and about the end of the output.
    """

    process: subprocess.Popen[str]
    began: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.news:
                self.lines.append((time.monotonic() - self.began, line))
                self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def seen_at(self, *words: str) -> float | None:
        """Returns when a line first contained one of these texts, in seconds since the start; None if none did."""
        return next((seconds for seconds, line in self.lines if any(word in line for word in words)), None)

    def wait_for(self, words: str) -> None:
        """Returns once a line contains this text, or the driver has ended."""
        with self.news:
            self.news.wait_for(lambda: self.seen_at(words) is not None or not self.reader.is_alive(), END_SECONDS)

    def end(self, seconds: float = END_SECONDS) -> int | None:
        """Returns the exit code; kills the driver and returns None if it does not end in time."""
        try:
            code: int | None = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.reader.join()
        return code

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.began

    @property
    def text(self) -> str:
        """The output so far."""
        return "".join(line for _, line in self.lines)


@dataclass
class Outcome:
    """The outcome of a sweep under a fault.

    Attributes:
      code: the exit code; None if the driver had to be killed.
      message_seconds: the time from the fault to the message; None if there was none.
      result: what happened, in words.
      total_seconds: the time of the whole experiment.
      problems: everything that is not as it must be.
    """

    code: int | None
    message_seconds: float | None
    result: str
    total_seconds: float
    problems: list[str]


def start(folder: Path, *words: object, **environment: str | None) -> Driver:
    """Starts the sweep in `folder`, with epochs of a second until a file `go` is beside the folder.

    Args:
      environment: further environment variables; None removes one.
    """
    env = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    command = ["-m", "tests.slow_run", folder.with_name("go"), "--data", folder.with_name("demo"), "--sweep", folder]
    command += ["--trials", TRIALS, *SWEEP, *words]
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return Driver(process)


def ended(folder: Path) -> dict[int, tuple[str, float | None]]:
    """Returns the state and value of each ended trial."""
    try:
        return {t.number: (t.state, t.value) for t in Record(folder).trials if t.state != State.RUNNING}
    except SweepError:
        return {}


def refused(folder: Path, words: str, code: int, *options: object, **environment: str | None) -> Outcome:
    """Runs a sweep that cannot begin: it must say so, end with this code, and leave nothing behind."""
    driver = start(folder, *options, **environment)
    exit_code = driver.end()
    problems = _problems(driver, exit_code, code, driver.seen_at(words))
    if folder.exists():
        problems.append(f"left behind: {sorted(path.name for path in folder.iterdir())}")
    return Outcome(exit_code, driver.seen_at(words), "leaves nothing behind", driver.seconds, problems)


def works(folder: Path, words: str, *options: object, **environment: str | None) -> Outcome:
    """Runs a sweep that must succeed in spite of a doubtful setting, and must say what is doubtful."""
    folder.with_name("go").touch()
    driver = start(folder, *options, **environment)
    exit_code = driver.end()
    problems = _problems(driver, exit_code, 0, driver.seen_at(words) if words else 0.0)
    trials = ended(folder)
    if len(trials) != TRIALS:
        problems.append(f"{len(trials)} of {TRIALS} trials ended")
    return Outcome(
        exit_code, driver.seen_at(words) if words else None, f"all {TRIALS} trials ended", driver.seconds, problems
    )


def struck(folder: Path, words: str, strike: Callable[[RayNode], None], *options: object) -> Outcome:
    """Runs a sweep that loses a part of Ray, and continues it by the same command."""
    began = time.monotonic()
    folder.with_name("go").unlink(missing_ok=True)
    driver = start(folder, *options)
    driver.wait_for(f"[2/{TRIALS}]")
    fault_at = driver.seconds
    strike(RayNode(driver.process))
    code = driver.end()
    message_at = driver.seen_at(words)
    problems = _problems(driver, code, 4, message_at and message_at - fault_at)
    old_trials = ended(folder)
    attempts = {t.number: t.attempts for t in Record(folder).trials}
    report = _report(folder, problems)
    folder.with_name("go").touch()
    second_driver = start(folder, *options)
    if second_driver.end() != 0:
        problems.append(f"the same command did not go on: {second_driver.text[-500:]}")
    new_trials = ended(folder)
    if len(new_trials) != TRIALS or any(new_trials.get(number) != trial for number, trial in old_trials.items()):
        problems.append(f"ended before: {old_trials}, after: {new_trials}")
    result = (
        f"{report}, {len(old_trials)} ended trials kept, {max(attempts.values())} attempt each at most; "
        f"the same command ended all {TRIALS}"
    )
    return Outcome(code, message_at and message_at - fault_at, result, time.monotonic() - began, problems)


def _problems(driver: Driver, exit_code: int | None, expected_code: int, message_seconds: float | None) -> list[str]:
    problems = [] if exit_code == expected_code else [f"exit code {exit_code}: {driver.text[-1000:]}"]
    if "Traceback" in driver.text:
        problems.append(driver.text[-1000:])
    if message_seconds is None:
        problems.append(f"not a word of it: {driver.text[-1000:]}")
    return problems


def _report(folder: Path, problems: list[str]) -> str:
    """Returns in words whether there is a report; if there is none, adds a problem."""
    if (folder / "report.html").exists():
        return "report made"
    problems.append("no report")
    return "no report"


def killed(name: str) -> Callable[[RayNode], None]:
    """Returns a function that kills all processes of this name in a Ray node."""

    def kill(node: RayNode) -> None:
        for pid in node.named(name):
            os.kill(pid, signal.SIGKILL)

    return kill


def paused(folder: Path) -> Outcome:
    """Stops every process of a running sweep for a while and continues them, as `docker pause` does."""
    folder.with_name("go").unlink(missing_ok=True)
    driver = start(folder)
    driver.wait_for(f"[1/{TRIALS}]")
    pids = RayNode(driver.process).pids
    for signal_number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        if signal_number == signal.SIGSTOP:
            time.sleep(PAUSE_SECONDS)
    code = driver.end()
    trials = Record(folder).trials
    attempts = max(trial.attempts for trial in trials)
    problems = _problems(driver, code, 0, 0.0)
    if attempts != 1 or len(ended(folder)) != TRIALS:
        problems.append(f"{attempts} attempts of a trial, {len(ended(folder))} of {TRIALS} trials ended")
    result = (
        f"{len(pids)} processes stopped for {PAUSE_SECONDS:.0f} s; all {TRIALS} trials ended in their first attempt"
    )
    return Outcome(code, None, result, driver.seconds, problems)


def private(folder: Path) -> Outcome:
    """Runs a second sweep that asks for any existing cluster, beside one that runs on a Ray session of its own."""
    folder.with_name("go").unlink(missing_ok=True)
    first = start(folder)
    first.wait_for(f"[1/{TRIALS}]")
    outcome = refused(folder.with_name("second"), "no Ray cluster runs on this machine", 2, "--address", "auto")
    folder.with_name("go").touch()
    code = first.end()
    outcome.problems += _problems(first, code, 0, 0.0)
    outcome.result = "the second leaves nothing behind, the first ends as if alone"
    return outcome


@contextmanager
def silent() -> Iterator[str]:
    """Runs a server that accepts connections but never answers; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def signalled(folder: Path) -> Outcome:
    """Sends SIGTERM to a driver that waits for a cluster that never answers."""
    with silent() as address:
        driver = start(folder, "--address", address)
        time.sleep(4.0)  # until it has imported everything and waits for the cluster
        signalled_at = driver.seconds
        driver.process.send_signal(signal.SIGTERM)
        code = driver.end()
    seconds = driver.seconds - signalled_at
    problems = _problems(driver, code, 143, driver.seen_at("Stopped by SIGTERM"))
    if seconds > SIGNAL_SECONDS:
        problems.append(f"ended after {seconds:.1f} s")
    return Outcome(code, seconds, "says so", driver.seconds, problems)


def head_lost(folder: Path) -> Outcome:
    """Kills the head of a cluster under a running sweep."""
    with cluster(folder.with_name("home"), head=("--num-cpus=2", "--include-dashboard=false")) as ray_cluster:
        environment: dict[str, str | None] = {**ray_cluster.environment, "PYTHONPATH": None}
        folder.with_name("go").unlink(missing_ok=True)
        driver = start(folder, "--address", ray_cluster.address, **environment)
        driver.wait_for(f"[2/{TRIALS}]")
        fault_at = driver.seconds
        for pid in ray_cluster.nodes[0].named("gcs_server"):
            os.kill(pid, signal.SIGKILL)
        code = driver.end()
    message_at = driver.seen_at("Ray ended under the sweep")
    problems = _problems(driver, code, 4, message_at and message_at - fault_at)
    report = _report(folder, problems)
    result = f"{report}, {len(ended(folder))} ended trials kept"
    return Outcome(code, message_at and message_at - fault_at, result, driver.seconds, problems)


def faults(folder: Path) -> Iterator[tuple[str, str, Outcome]]:
    """Yields for each fault its name, the requirement and the outcome; `folder` holds the demo images in `demo`."""
    sweep, long_folder = folder / "sweep", folder / ("a" * 50)
    long_folder.mkdir()
    requirement = "told, exit code 2, nothing left behind"
    unused_address = "127.0.0.1:1"
    outcome = refused(sweep, "no Ray cluster answers", 2, "--address", unused_address)
    yield "`--address` where nothing listens", requirement, outcome
    with silent() as address:
        outcome = refused(sweep, "no answer in", 2, "--address", address)
    yield "`--address` where what listens says nothing", requirement, outcome
    yield "SIGTERM while it is waited for", f"ends within {SIGNAL_SECONDS:.0f} s, exit code 143", signalled(sweep)
    outcome = refused(sweep, "is where jobs are submitted to", 2, RAY_ADDRESS="http://127.0.0.1:8265")
    yield "`RAY_ADDRESS=http://...`", requirement, outcome
    outcome = works(folder / "long", "Ray's session cannot lie there", TMPDIR=str(long_folder))
    yield f"`TMPDIR` of {len(str(long_folder))} characters", "told, and runs: Ray's session lies elsewhere", outcome
    success = "runs: a session of one's own writes nothing there"
    yield "`HOME` not set", success, works(folder / "homeless", "", HOME=None)
    yield "`HOME` that cannot be written", success, works(folder / "nowhere", "", HOME="/proc")
    yield "a second sweep with `--address auto` beside one on its own Ray", requirement, private(folder / "first")
    requirement = "told, exit code 4, a report, no attempt lost, the same command goes on"
    message = "Ray ended under the sweep"
    for name in ("gcs_server", "raylet"):
        outcome = struck(folder / name, message, killed(name))
        yield f"SIGKILL of Ray's `{name}` while trials run", requirement, outcome
    requirement = "told, exit code 4, a report"
    yield "SIGKILL of the `gcs_server` of a cluster while trials run", requirement, head_lost(folder / "headless")
    requirement = "no trial loses an attempt"
    yield f"everything stopped for {PAUSE_SECONDS:.0f} s and continued", requirement, paused(folder / "paused")
