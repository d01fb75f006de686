"""The worker's side of a trial on several processes: it starts the others, and trains with them."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path

from sweep.datasets.pixels.dataset import Dataset
from sweep.storage import user_code
from sweep.trainable import loop, weights
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.models import family_of
from sweep.trainable.parallel import processes
from sweep.trainable.parallel.group import ENDING_SECONDS, Group
from sweep.trainable.parallel.message import Epoch, Net, Setting, in_files
from sweep.trainable.parallel.processes import ProcessFailed, ProcessLost
from sweep.trainable.state import TrainState
from sweep.trainable.worker.report import Failure


class Team:
    """Trains nets in a worker together with other processes, which stay for the nets after that one.

    They are started by the first net that needs them, and again by the next one after an error.
    """

    def __init__(self, data: Dataset, size: int, device: str, threads: int) -> None:
        """Args:
        data: the worker's.
        size: how many processes there are, this one included: 2 or more.
        device: `cuda`, of which each process has one, or `cpu`.
        threads: of torch, for each process.
        """
        self.data, self.size, self.device, self.threads = data, size, device, threads
        self.others: _Others | None = None

    def train(self, config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
        """Trains as `loop.train` does, which has its errors, and besides:

        Raises:
          ProcessLost: a process is gone, and with it this attempt.
        """
        if family_of(config.arch).train:  # in a way of its own, of seconds
            yield from loop.train(config, data, state)
            return
        if self.others is None:
            self.others = _Others(self)
        try:
            yield from loop.train(config, data, state, self.others)
        except loop.Diverged:  # all of them know
            raise
        except Exception:
            self.end()  # they may be waiting for this one amid an epoch
            raise

    def end(self) -> None:
        """Ends the other processes."""
        if self.others:
            self.others.end()
        self.others = None


class _Others(Group):
    """The group as the first process has it, which the others obey.

    A thread of its own hears of the end of another process: this one may be waiting for it at that moment.
    """

    def __init__(self, team: Team) -> None:
        """Starts the others, and returns once all of them have found each other.

        Raises:
          ProcessLost, ProcessFailed: it cannot start.
        """
        super().__init__(0, team.size)
        self.folder = tempfile.TemporaryDirectory(prefix="sweep-processes-")
        self.members: list[_Member] = []
        self.error: BaseException | None = None
        self.has_failed = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        try:
            self._start(team)
        except BaseException:
            self.end()
            raise

    def begin(self, config: TrialConfig, data: Dataset, state: TrainState) -> None:
        self._tell(Net.of(config, data, state))

    def begin_epoch(self) -> None:
        self._tell(Epoch())

    def failure(self, seconds: float = 0.0) -> BaseException | None:
        self.has_failed.wait(seconds)
        return self.error

    def end(self) -> None:
        for member in self.members:
            member.process.kill()
            member.process.wait()
        if self.watcher.ident is not None:
            self.watcher.join()
        processes.disconnect()
        for member in self.members:
            member.close()
        self.folder.cleanup()

    def _start(self, team: Team) -> None:
        folder = Path(self.folder.name)
        backend, store = processes.backend(team.device), folder / "store"
        data, sources, table = in_files(team.data, folder), user_code.sources(), weights.remembered()
        self.members = [_Member() for _ in range(1, team.size)]
        for rank, member in enumerate(self.members, start=1):
            device = team.device if team.device == "cpu" else f"{team.device}:{rank}"
            setting = Setting(rank, team.size, backend, store, device, team.threads, data, sources, table)
            with suppress(OSError):  # the answer says why
                member.connection.send(setting)
        for member in self.members:
            if error := member.answer():
                raise error
        self.watcher.start()
        processes.connect(backend, store, 0, team.size)

    def _tell(self, message: object) -> None:
        """Raises:
        ProcessLost, ProcessFailed: it has come to its end.
        """
        is_told = True
        for member in self.members:
            try:
                member.connection.send(message)
            except OSError:
                is_told = False
        if failure := self.failure(0.0 if is_told else ENDING_SECONDS):
            raise failure

    def _watch(self) -> None:
        first = wait([member.connection for member in self.members])[0]
        error = next(member for member in self.members if member.connection is first).answer()
        # One that was killed is the cause of the errors that the others then have.
        killed = (member.killed() for member in self.members)
        self.error = next(filter(None, killed), error)
        self.has_failed.set()
        processes.abort()


class _Member:
    """Another process of the trial, and the two ends of what it is told by and what it ends with."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        life, self.life = os.pipe()
        command = [sys.executable, "-m", "sweep.trainable.parallel.member", f"{theirs.fileno()}", f"{life}"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self.process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(), life), env=environment, stdin=subprocess.DEVNULL
            )
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()
            os.close(life)

    def answer(self) -> BaseException | None:
        """Waits for a message, and returns what the process came to its end by; None where it says that it is ready."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            code = self.process.wait()
            return self.killed() or ProcessLost(f"another process of the trial came to its end with exit code {code}")
        return ProcessFailed(message) if isinstance(message, Failure) else None

    def killed(self) -> ProcessLost | None:
        """Returns what is to be said of the process if a signal ended it."""
        code = self.process.poll()
        if code is None or code >= 0:
            return None
        return ProcessLost(f"another process of the trial was killed by signal {-code}")

    def close(self) -> None:
        self.connection.close()
        os.close(self.life)
