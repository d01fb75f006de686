"""Ray clusters of several nodes on this machine: each node is started by Ray's own command, far from this project."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ray._private.services import get_node_ip_address

from sweep.analysis.record import Record
from sweep.storage.errors import SweepError
from tests.drivers import ROOT

RAY = Path(sys.executable).parent / "ray"
UP_SECONDS = 300.0  # for what is waited for to be there: a bound for what never comes
LOOK_SECONDS = 0.25  # between two looks, which take a processor 10 to 20 ms from what is waited for


@dataclass
class RayNode:
    """A node, by the process that started it and stays in the foreground."""

    process: subprocess.Popen

    @property
    def pids(self) -> list[int]:
        """Of all of its processes, that one last."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, rest = int(stat.parent.name), stat.read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):  # it has just ended
                continue
            parents.setdefault(int(rest[1]), []).append(pid)
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            left += parents.get(pid, [])
        return found[::-1]

    def named(self, name: str) -> list[int]:
        """The processes whose command line begins with a word that ends so: `raylet`, or `ray::` and anything."""
        return [pid for pid in self.pids if name in command_of(pid).split(" ")[0]]

    @property
    def workers(self) -> list[int]:
        """Those that train: Ray names its workers after the class, and its own agents too."""
        return [pid for pid in self.pids if command_of(pid).startswith("ray::") and "Trainable" in command_of(pid)]

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """As when its machine loses power."""
        for sent in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: none of them can act on another's end
            for pid in self.pids:
                try:
                    os.kill(pid, sent)
                except ProcessLookupError:
                    continue
        self.process.wait()


@dataclass
class Cluster:
    """Attributes:
    folder: the home of whoever starts nodes and driver, with the token in it.
    port: of the head, also before that is started.
    """

    folder: Path
    nodes: list[RayNode] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets lie in it: a short path
        token = self.folder / ".ray" / "auth_token"
        token.parent.mkdir(parents=True)
        token.touch(mode=0o600)
        token.write_text("5eed" * 16)

    @property
    def address(self) -> str:
        """With the address that Ray gives this machine, loopback or not."""
        return f"{get_node_ip_address()}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        ours = {"HOME": str(self.folder), "RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
        ours["RAY_prestart_worker_first_driver"] = "0"  # a job with a runtime_env cannot use them
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | ours

    def start_head(self, *words: object, **environment: str) -> RayNode:
        return self._start("--head", f"--port={self.port}", f"--temp-dir={self.temporary}", *words, **environment)

    def add(self, cpus: int = 1, **environment: str) -> RayNode:
        """One after the other: two that start at once on one machine take each other's files."""
        return self._start(f"--address={self.address}", f"--num-cpus={cpus}", **environment)

    def drive(self, module: str, *words: object) -> subprocess.Popen:
        """A command of this project with the cluster as its address; its output in text, both streams in one."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words), "--address", self.address],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _start(self, *words: object, **environment: str) -> RayNode:
        log = self.folder / f"node-{len(self.nodes)}.log"
        own = (
            f"--dashboard-agent-listen-port={free_port()}",
            "--node-ip-address=127.0.0.1",
            "--object-store-memory=80000000",
            "--include-log-monitor=false",
        )
        command = [RAY, "start", "--block", *own, *words]
        with open(log, "w") as out:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd="/",
                env=self.environment | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        node = RayNode(process)
        self.nodes.append(node)
        until(lambda: node.has_ended or "Ray runtime started" in log.read_text(), f"a node runs, see {log}")
        assert not node.has_ended, log.read_text()
        return node

    def stop(self) -> None:
        for node in self.nodes[::-1]:
            if not node.has_ended:
                node.kill()
        shutil.rmtree(self.temporary, ignore_errors=True)


@contextmanager
def cluster(
    folder: Path,
    head: tuple[object, ...] | None = ("--num-cpus=0", "--include-dashboard=false"),
    port: int = 0,
    **environment: str,
) -> Iterator[Cluster]:
    """One with a head, on which no trial runs; all that is left of it is ended at the end.

    Args:
      head: what it is started with besides; None leaves it to the caller.
      port: of the head; 0 for a free one.
    """
    made = Cluster(folder, port=port or free_port())
    try:
        if head is not None:
            made.start_head(*head, **environment)
        yield made
    finally:
        made.stop()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def command_of(pid: int) -> str:
    """Its words with spaces between them; empty of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def until(is_so: Callable[[], bool], what: str, driver: subprocess.Popen | None = None) -> None:
    """Returns once it is so.

    Raises:
      TimeoutError: it is not, after `UP_SECONDS`, or the driver has ended; with the driver's output.
    """
    deadline = time.monotonic() + UP_SECONDS
    while not is_so():
        if time.monotonic() > deadline or (driver and driver.poll() is not None):
            said = ""
            if driver:
                driver.terminate()
                said = driver.communicate(timeout=60)[0]
            raise TimeoutError(f"not within {UP_SECONDS:.0f} s: {what}\n{said}")
        time.sleep(LOOK_SECONDS)


def workers_of(nodes: Sequence[RayNode], driver: subprocess.Popen) -> list[int]:
    """One process at least: a worker bears its name only while it is asked something, and a new one has to start."""
    found: list[int] = []

    def are_there() -> bool:
        found.extend(pid for node in nodes for pid in node.workers)
        return bool(found)

    until(are_there, "a worker trains", driver)
    return found


@dataclass
class Losses:
    """What became of a sweep whose workers and nodes went again and again.

    Attributes:
      lost: trials that did not end, or that had ended and were not there any more, or not the same.
      twice: trials that had ended and were trained again.
      epochs, repeated: trained to their end in all, and of these those that were trained before.
      seconds: of the whole, the cluster's start included.
    """

    trials: int
    workers: int = 0
    nodes: int = 0
    lost: int = 0
    twice: int = 0
    epochs: int = 0
    repeated: int = 0
    most_attempts: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def lose_randomly(folder: Path, trials: int, workers: int, nodes: int, seed: int, *words: object) -> Losses:
    """Runs one sweep over a head and three nodes of one CPU each, while workers are killed and nodes replaced.

    The losses come in random order, spread over the sweep by the trials that have ended or are paused.

    Args:
      words: of `search.run`, but for `--address`, `--sweep` and `--trials`.
    """
    rng, result, began = random.Random(seed), Losses(trials), time.monotonic()
    sweep, log = folder / "sweep", folder / "epochs.log"
    losses = ["worker"] * workers + ["node"] * nodes
    rng.shuffle(losses)
    ended: dict[int, tuple[object, ...]] = {}
    lines: list[str] = []
    with cluster(folder / "home") as there:
        alive = [there.add() for _ in range(3)]
        driver = there.drive("tests.counted_run", log, *words, "--sweep", sweep, "--trials", trials)
        for place, what in enumerate(losses):
            due = place * trials // len(losses)
            until(lambda due=due: _settled(sweep) >= due, f"{due} trials have ended or are paused", driver)
            now = _ended(sweep)
            result.lost += sum(now.get(number) != trial for number, trial in ended.items())
            new = log.read_text().splitlines()[len(lines) :] if log.exists() else []
            result.twice += len({line.split()[0] for line in new} & {str(trial[-1]) for trial in ended.values()})
            ended, lines = now, lines + new
            if what == "node":
                alive.pop(rng.randrange(3)).kill()
                alive.append(there.add())
                result.nodes += 1
            else:
                os.kill(rng.choice(workers_of(alive, driver)), signal.SIGKILL)
                result.workers += 1
        output, _ = driver.communicate()
    if driver.returncode != 0 or "Traceback" in output:
        result.problems.append(f"the driver ended with {driver.returncode}: {output[-1000:]}")
    found = Record(sweep).trials
    result.lost += sum(_ended(sweep).get(number) != trial for number, trial in ended.items())
    result.lost += trials - sum(trial.state in ("COMPLETE", "PRUNED") for trial in found)
    result.most_attempts = max(trial.attempts for trial in found)
    lines = log.read_text().splitlines()
    result.epochs = len(lines)
    result.repeated = len(lines) - len({tuple(line.split()[:2]) for line in lines})
    result.seconds = time.monotonic() - began
    return result


def _settled(sweep: Path) -> int:
    """How many trials have ended or are paused."""
    try:
        return sum(trial.is_paused or trial.state != "RUNNING" for trial in Record(sweep).trials)
    except SweepError:  # not begun yet
        return 0


def _ended(sweep: Path) -> dict[int, tuple[object, ...]]:
    """What may not change of the trials that have ended; the seed of its config last."""
    try:
        return {
            trial.number: (trial.state, trial.value, trial.epochs, trial.config["seed"])
            for trial in Record(sweep).trials
            if trial.state != "RUNNING"
        }
    except SweepError:  # not begun yet
        return {}
