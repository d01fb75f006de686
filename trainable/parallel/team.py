"""The worker's side of a trial with several processes: it starts the others and trains with them."""

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
    """Trains nets in a worker together with other processes, which stay for the nets that follow.

    The first net that needs the processes starts them. After an error the next net starts them again.
    """

    def __init__(self, data: Dataset, size: int, device: str, threads: int) -> None:
        """Describes the team; no process is started yet.

        Args:
          data: the worker's data.
          size: the number of processes with this one, 2 or more.
          device: `cuda`, where each process has a GPU of its own, or `cpu`.
          threads: how many threads torch may use in each process.
        """
        self.data, self.size, self.device, self.threads = data, size, device, threads
        self.others: _Leader | None = None

    def train(self, config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
        """Trains as `loop.train` does, and raises the same errors.

        Raises:
          ProcessLost: another process ended without a reason, and this attempt cannot continue.
          ProcessFailed: an error ended another process, and this attempt cannot continue.
        """
        if family_of(config.arch).train:  # the family's own way to train takes seconds, so this process does it alone
            yield from loop.train(config, data, state)
            return
        if self.others is None:
            self.others = _Leader(self)
        try:
            yield from loop.train(config, data, state, self.others)
        except loop.Diverged:  # the other processes have met the same error and continue
            raise
        except Exception:
            self.end()  # the others may be waiting for this process in the middle of an epoch
            raise

    def end(self) -> None:
        """Ends the other processes."""
        if self.others:
            self.others.end()
        self.others = None


class _Leader(Group):
    """The group as the first process has it, which leads the other processes.

    A thread waits for the end of another process, because the main thread may just be waiting for that process.
    """

    def __init__(self, team: Team) -> None:
        """Starts the other processes, and returns once all are connected.

        Raises:
          ProcessLost, ProcessFailed: a process cannot start.
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
        self._tell(Net.from_state(config, data, state))

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
        """Starts the processes, sends each its setting, waits until all are ready, and connects with them."""
        folder = Path(self.folder.name)
        backend, store = processes.backend(team.device), folder / "store"
        data, sources, table = in_files(team.data, folder), user_code.sources(), weights.remembered()
        self.members = [_Member() for _ in range(1, team.size)]
        for rank, member in enumerate(self.members, start=1):
            device = team.device if team.device == "cpu" else f"{team.device}:{rank}"
            setting = Setting(rank, team.size, backend, store, device, team.threads, data, sources, table)
            with suppress(OSError):  # if it has ended, `answer` says why
                member.connection.send(setting)
        for member in self.members:
            if error := member.answer():
                raise error
        self.watcher.start()
        processes.connect(backend, store, 0, team.size)

    def _tell(self, message: object) -> None:
        """Sends a message to all other processes.

        Raises:
          ProcessLost, ProcessFailed: a process has ended.
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
        """Waits until a process ends, records why, and breaks off what this one may be doing with it on a GPU."""
        connection = wait([member.connection for member in self.members])[0]
        error = next(member for member in self.members if member.connection is connection).answer()
        # If a process was killed, the errors of the others are only its consequences.
        kill_errors = (member.kill_error() for member in self.members)
        self.error = next(filter(None, kill_errors), error)
        self.has_failed.set()
        processes.abort()


class _Member:
    """Another process of the trial, its connection, and the open end of the file whose closing ends it."""

    def __init__(self) -> None:
        self.connection, member_end = Pipe()
        life, self.life = os.pipe()
        command = [sys.executable, "-m", "sweep.trainable.parallel.member", f"{member_end.fileno()}", f"{life}"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self.process = subprocess.Popen(
                command, pass_fds=(member_end.fileno(), life), env=environment, stdin=subprocess.DEVNULL
            )
        except BaseException:
            self.close()
            raise
        finally:
            member_end.close()
            os.close(life)

    def answer(self) -> BaseException | None:
        """Waits for a message; returns why the process ended, or None if it says that it is ready."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            code = self.process.wait()
            return self.kill_error() or ProcessLost(
                f"another process of the trial came to its end with exit code {code}"
            )
        return ProcessFailed(message) if isinstance(message, Failure) else None

    def kill_error(self) -> ProcessLost | None:
        """Returns the error to raise if a signal ended the process, else None."""
        code = self.process.poll()
        if code is None or code >= 0:
            return None
        return ProcessLost(f"another process of the trial was killed by signal {-code}")

    def close(self) -> None:
        """Closes this worker's ends of both connections."""
        self.connection.close()
        os.close(self.life)
