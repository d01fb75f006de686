"""Watches whether Ray still runs under a sweep, because Ray's own errors for that, if any, come a minute late."""

import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import ray

from sweep.search.ray import ray_2_60
from sweep.search.ray.address import RayFailedError, fault_of, resolved
from sweep.search.runtime.process import end_at_once, tell
from sweep.storage.command_line import Exit

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 1.5  # for the head of a cluster to answer a look
SILENCE_SECONDS = 25.0  # without an answer, until Ray counts as ended: a head that is restarted takes 10 to 25 s
REACTION_SECONDS = 10.0  # for the block to end after Ray has: it may wait, in Ray's core, for what has gone


class Vigil:
    """Checks every second, in a thread of its own, that the processes that a sweep on Ray needs are alive.

    On this machine these are Ray's `gcs_server` and `raylet`, and the sockets in their folder; on a cluster the raylet
    of this machine, and a GCS that answers. The end of a process is noticed at once. A GCS that does not answer may
    be back in a moment, so it is given some time. Only the time spent looking counts, so that a pause of the whole
    machine does not use it up.

    Attributes:
      failure: what has gone, in words; empty while all is well.
      report_instead: makes the report in place of the main thread. It is called in the vigil's thread if Ray has ended
        and the block does not end, because the main thread then waits in Ray's core and cannot be interrupted.
    """

    def __init__(self, address: str | None) -> None:
        self.node = ray_2_60.node()
        self.is_local = address is None
        self.logs = self.node.get_logs_dir_path() if self.node else "the folder of its session"
        self.head = self.node.gcs_address if self.node else ray.get_runtime_context().gcs_address
        self.asks_head = not self.is_local or self.node is None
        self.failure = ""
        self.report_instead: Callable[[], object] = lambda: None
        self.failed = threading.Event()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.raylet: int | None = None
        self.servers: list[Any] = []
        if not self.is_local and self.node:
            self.raylet = _end_of_server(self.node.raylet_socket_name)
        if self.asks_head:
            self._resolve()

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()

    def check(self) -> None:
        """Checks that the thread has not found that Ray ended; does not look itself.

        Raises:
          RayFailedError: Ray has ended.
        """
        if self.failure:
            raise RayFailedError(self.failure)

    def check_now(self) -> None:
        """Looks at once, for a caller that lost a worker and has to know whether Ray itself has ended.

        A look that finds no answer decides nothing. It is repeated until there is an answer, or until the vigil's
        thread, the only one that counts the time without an answer, has given Ray up.

        Raises:
          RayFailedError: Ray has ended.
        """
        while self._check():
            self.failed.wait(LOOK_SECONDS)
        self.check()

    def end_what_is_left(self) -> None:
        """Ends the processes of Ray that this process has started; the workers end with their raylet."""
        if self.is_local and self.node:
            with suppress(Exception):  # some of the processes have ended by themselves
                self.node.kill_all_processes(check_alive=False)

    def _watch(self) -> None:
        """Looks every second until the block is over or Ray has ended; then ends the process if the block does not."""
        silence = 0.0
        while not self.over.wait(LOOK_SECONDS) and not self.failure:
            start = time.monotonic()
            fault = self._check()
            # A look and the query of the head's address have a time limit each, so anything longer was a pause.
            seconds = LOOK_SECONDS + min(2 * ANSWER_SECONDS, time.monotonic() - start)
            silence = silence + seconds if fault else 0.0
            if silence >= SILENCE_SECONDS:
                head = f"the head of the cluster does not answer any more at {self.head}"
                self._fail(f"{head if self.asks_head else 'it cannot be watched any more'} ({fault})")
        if self.failure and not self.over.wait(REACTION_SECONDS):
            tell(str(RayFailedError(self.failure)))
            self.report_instead()
            if not self.over.is_set():  # the block may have ended meanwhile
                end_at_once(
                    "Ray has ended; everything is saved. Run the same command again to go on.", Exit.STORAGE_FAILS
                )
        if self.raylet is not None:
            raylet, self.raylet = self.raylet, None
            os.close(raylet)

    def _check(self) -> str:
        """Looks once, and sets `failure` if something has gone for good.

        Returns:
          a fault that may pass: why the head of a cluster does not answer, or why the look itself did not succeed.
        """
        if self.failure:
            return ""
        try:
            if cause := self._cluster_failure() if self.asks_head else self._local_failure():
                self._fail(cause)
            return self._fault_of_head() if self.asks_head and not cause else ""
        except Exception as error:  # an error must not end the thread silently
            return f"{type(error).__name__}: {error}"

    def _fail(self, cause: str) -> None:
        if not self.failure:
            self.failure = f"Ray ended under the sweep: {cause}; what it says itself is in {self.logs}"
        self.failed.set()

    def _local_failure(self) -> str:
        for name, process in self.node.dead_processes():
            return f"its {name} (process {process.pid}) {_ending(process.returncode)}"
        for path in (self.node.raylet_socket_name, self.node.plasma_store_socket_name):
            if not Path(path).exists():
                return f"{path}, by which workers find it, is gone"
        return ""

    def _cluster_failure(self) -> str:
        if self.raylet is not None and select.select([self.raylet], [], [], 0)[0]:
            return "the raylet of this machine ended"
        return ""

    def _fault_of_head(self) -> str:
        fault = fault_of(self.servers, ANSWER_SECONDS)
        if fault:
            self._resolve()
        return fault

    def _resolve(self) -> None:
        """Looks up the addresses of the head's name, because a head that was started anew may have another one.

        It is not called while a known address answers, so that a name server that hangs does no harm.
        """
        with suppress(OSError):
            self.servers = resolved(self.head, ANSWER_SECONDS)


def _ending(code: int) -> str:
    """Returns how a process ended, by its exit code as `subprocess` has it."""
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _end_of_server(path: str) -> int | None:
    """Returns a descriptor that becomes readable when the process that listens at a socket ends; None without one."""
    if not sys.platform.startswith("linux"):
        return None
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        pid, *_ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return os.pidfd_open(pid)
    return None
