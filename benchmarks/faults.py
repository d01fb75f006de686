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
TOLD_SECONDS = 30.0  # within which the screen must say what happened
SIGNAL_SECONDS = 10.0  # within which a signal ends any wait
PAUSE_SECONDS = 130.0  # longer than the shortest time after which an epoch is hung
END_SECONDS = 900.0  # within which a driver must end, even on a busy machine
SWEEP = ("--max-epochs", 4, "--fix", "arch=mlp", "--fix", "epochs=4", "--no-baselines", "--pruner", "none")


@dataclass
class Driver:
    """The process of a sweep's driver, with its output and the times of it.

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
        return next((at for at, line in self.lines if any(word in line for word in words)), None)

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
      seconds: the time from the fault to the message; None if there was none.
      found: what was found, in words.
      whole_seconds: the time of the whole experiment.
      problems: everything that is not as it must be.
    """

    code: int | None
    seconds: float | None
    found: str
    whole_seconds: float
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
    found = driver.end()
    problems = _problems(driver, found, code, driver.seen_at(words))
    if folder.exists():
        problems.append(f"left behind: {sorted(path.name for path in folder.iterdir())}")
    return Outcome(found, driver.seen_at(words), "leaves nothing behind", driver.seconds, problems)


def works(folder: Path, words: str, *options: object, **environment: str | None) -> Outcome:
    """Runs a sweep that must succeed in spite of a doubtful setting, and must say what is doubtful."""
    folder.with_name("go").touch()
    driver = start(folder, *options, **environment)
    found = driver.end()
    problems = _problems(driver, found, 0, driver.seen_at(words) if words else 0.0)
    there = ended(folder)
    if len(there) != TRIALS:
        problems.append(f"{len(there)} of {TRIALS} trials ended")
    return Outcome(
        found, driver.seen_at(words) if words else None, f"all {TRIALS} trials ended", driver.seconds, problems
    )


def struck(folder: Path, words: str, strike: Callable[[RayNode], None], *options: object) -> Outcome:
    """Runs a sweep that loses a part of Ray, and continues it by the same command."""
    began = time.monotonic()
    folder.with_name("go").unlink(missing_ok=True)
    driver = start(folder, *options)
    driver.wait_for(f"[2/{TRIALS}]")
    at = driver.seconds
    strike(RayNode(driver.process))
    code = driver.end()
    told = driver.seen_at(words)
    problems = _problems(driver, code, 4, told and told - at)
    before = ended(folder)
    attempts = {t.number: t.attempts for t in Record(folder).trials}
    report = _report(folder, problems)
    folder.with_name("go").touch()
    again = start(folder, *options)
    if again.end() != 0:
        problems.append(f"the same command did not go on: {again.text[-500:]}")
    after = ended(folder)
    if len(after) != TRIALS or any(after.get(number) != trial for number, trial in before.items()):
        problems.append(f"ended before: {before}, after: {after}")
    found = (
        f"{report}, {len(before)} ended trials kept, {max(attempts.values())} attempt each at most; "
        f"the same command ended all {TRIALS}"
    )
    return Outcome(code, told and told - at, found, time.monotonic() - began, problems)


def _problems(driver: Driver, code: int | None, must: int, told: float | None) -> list[str]:
    problems = [] if code == must else [f"exit code {code}: {driver.text[-1000:]}"]
    if "Traceback" in driver.text:
        problems.append(driver.text[-1000:])
    if told is None:
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
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGSTOP:
            time.sleep(PAUSE_SECONDS)
    code = driver.end()
    trials = Record(folder).trials
    attempts = max(trial.attempts for trial in trials)
    problems = _problems(driver, code, 0, 0.0)
    if attempts != 1 or len(ended(folder)) != TRIALS:
        problems.append(f"{attempts} attempts of a trial, {len(ended(folder))} of {TRIALS} trials ended")
    found = f"{len(pids)} processes stopped for {PAUSE_SECONDS:.0f} s; all {TRIALS} trials ended in their first attempt"
    return Outcome(code, None, found, driver.seconds, problems)


def private(folder: Path) -> Outcome:
    """Runs a second sweep that asks for any existing cluster, beside one that runs on a session of its own."""
    folder.with_name("go").unlink(missing_ok=True)
    first = start(folder)
    first.wait_for(f"[1/{TRIALS}]")
    told = refused(folder.with_name("second"), "no Ray cluster runs on this machine", 2, "--address", "auto")
    folder.with_name("go").touch()
    code = first.end()
    told.problems += _problems(first, code, 0, 0.0)
    told.found = "the second leaves nothing behind, the first ends as if alone"
    return told


@contextmanager
def silent() -> Iterator[str]:
    """Runs a server that accepts connections but never answers; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def signalled(folder: Path) -> Outcome:
    """Sends SIGTERM to a driver that waits for a cluster which never answers."""
    with silent() as address:
        driver = start(folder, "--address", address)
        time.sleep(4.0)  # until it has imported everything and waits for the cluster
        at = driver.seconds
        driver.process.send_signal(signal.SIGTERM)
        code = driver.end()
    seconds = driver.seconds - at
    problems = _problems(driver, code, 143, driver.seen_at("Stopped by SIGTERM"))
    if seconds > SIGNAL_SECONDS:
        problems.append(f"ended after {seconds:.1f} s")
    return Outcome(code, seconds, "says so", driver.seconds, problems)


def head_lost(folder: Path) -> Outcome:
    """Kills the head of a cluster under a running sweep."""
    with cluster(folder.with_name("home"), head=("--num-cpus=2", "--include-dashboard=false")) as made:
        environment: dict[str, str | None] = {**made.environment, "PYTHONPATH": None}
        folder.with_name("go").unlink(missing_ok=True)
        driver = start(folder, "--address", made.address, **environment)
        driver.wait_for(f"[2/{TRIALS}]")
        at = driver.seconds
        for pid in made.nodes[0].named("gcs_server"):
            os.kill(pid, signal.SIGKILL)
        code = driver.end()
    told = driver.seen_at("Ray ended under the sweep")
    problems = _problems(driver, code, 4, told and told - at)
    report = _report(folder, problems)
    found = f"{report}, {len(ended(folder))} ended trials kept"
    return Outcome(code, told and told - at, found, driver.seconds, problems)


def faults(folder: Path) -> Iterator[tuple[str, str, Outcome]]:
    """Yields for each fault its name, what must be, and what was found; `folder` holds the demo images in `demo`."""
    sweep, long = folder / "sweep", folder / ("a" * 50)
    long.mkdir()
    must = "told, exit code 2, nothing left behind"
    nothing = "127.0.0.1:1"
    yield "`--address` where nothing listens", must, refused(sweep, "no Ray cluster answers", 2, "--address", nothing)
    with silent() as address:
        told = refused(sweep, "no answer in", 2, "--address", address)
    yield "`--address` where what listens says nothing", must, told
    yield "SIGTERM while it is waited for", f"ends within {SIGNAL_SECONDS:.0f} s, exit code 143", signalled(sweep)
    told = refused(sweep, "is where jobs are submitted to", 2, RAY_ADDRESS="http://127.0.0.1:8265")
    yield "`RAY_ADDRESS=http://...`", must, told
    told = works(folder / "long", "Ray's session cannot lie there", TMPDIR=str(long))
    yield f"`TMPDIR` of {len(str(long))} characters", "told, and runs: Ray's session lies elsewhere", told
    runs = "runs: a session of one's own writes nothing there"
    yield "`HOME` not set", runs, works(folder / "homeless", "", HOME=None)
    yield "`HOME` that cannot be written", runs, works(folder / "nowhere", "", HOME="/proc")
    yield "a second sweep with `--address auto` beside one on its own Ray", must, private(folder / "first")
    must = "told, exit code 4, a report, no attempt lost, the same command goes on"
    ray_ended = "Ray ended under the sweep"
    for name in ("gcs_server", "raylet"):
        told = struck(folder / name, ray_ended, killed(name))
        yield f"SIGKILL of Ray's `{name}` while trials run", must, told
    must = "told, exit code 4, a report"
    yield "SIGKILL of the `gcs_server` of a cluster while trials run", must, head_lost(folder / "headless")
    must = "no trial loses an attempt"
    yield f"everything stopped for {PAUSE_SECONDS:.0f} s and continued", must, paused(folder / "paused")
