"""Watches whether Ray still runs under a sweep: its own words for that, where it has any, come a minute late."""

import os
import select
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import ray

from search.address import answers
from search.connection import RAY_FAILS, RayFailedError
from search.process import end_at_once

LOOK_SECONDS = 1.0
LOOKS_AT_THE_GCS = 4  # that fail one after the other: it has gone, or hangs
ANSWER_SECONDS = 3.0  # of each such look
REACTION_SECONDS = 10.0  # in which the block ends once Ray has: in Ray's core it may wait for what has gone


class Vigil:
    """Looks every second, in a thread of its own, whether the processes live that a sweep on Ray needs.

    On this machine these are Ray's `gcs_server` and `raylet`, and the sockets in their folder; on a cluster the raylet
    of this machine, and a GCS that answers. A look counts, and not the time on a clock: nothing is missed while the
    whole machine is paused.

    Attributes:
      failure: what has gone, in words; empty while all is well.
    """

    def __init__(self, address: str | None) -> None:
        node: Any = ray._private.worker._global_node
        self.node = node
        self.is_local = address is None
        self.logs = self.node.get_logs_dir_path()
        self.failure = ""
        self.unanswered = 0
        self.fault = ""
        self.over = threading.Event()
        self.looking = threading.Lock()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.raylet = None if self.is_local else _end_of_server(self.node.raylet_socket_name)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()

    def check(self) -> None:
        """Raises:
        RayFailedError: Ray has ended.
        """
        if self.failure:
            raise RayFailedError(self.failure)

    def check_now(self) -> None:
        """Looks at once, until it is sure: who lost a worker wants to know whether it was Ray that went.

        Raises:
          RayFailedError: Ray has ended.
        """
        while not self._look():
            self.check()

    def end_what_is_left(self) -> None:
        """Ends what this process has started of Ray; the workers end with their raylet."""
        if self.is_local:
            with suppress(Exception):  # some of it has ended by itself
                self.node.kill_all_processes(check_alive=False)

    def _watch(self) -> None:
        while not self.over.wait(LOOK_SECONDS) and not self.failure:
            self._look()
        if self.failure and not self.over.wait(REACTION_SECONDS):
            end_at_once(str(RayFailedError(self.failure)), RAY_FAILS)

    def _look(self) -> bool:
        """Looks once; returns whether everything is there."""
        with self.looking:
            gone = self._gone_here() if self.is_local else self._gone_of_cluster()
            if gone and not self.failure:
                self.failure = f"Ray ended under the sweep: {gone}; what it says itself is in {self.logs}"
            return not gone and not self.unanswered

    def _gone_here(self) -> str:
        for name, process in self.node.dead_processes():
            return f"its {name} (process {process.pid}) {_how(process.returncode)}"
        for path in (self.node.raylet_socket_name, self.node.plasma_store_socket_name):
            if not Path(path).exists():
                return f"{path}, by which workers find it, is gone"
        return ""

    def _gone_of_cluster(self) -> str:
        if self.raylet is not None and select.select([self.raylet], [], [], 0)[0]:
            return "the raylet of this machine ended"
        self.fault = answers(self.node.gcs_address, ANSWER_SECONDS)
        self.unanswered = self.unanswered + 1 if self.fault else 0
        if self.unanswered >= LOOKS_AT_THE_GCS:
            return f"the head of the cluster does not answer any more at {self.node.gcs_address} ({self.fault})"
        return ""


def _how(code: int) -> str:
    """Returns how a process ended, by its exit code as `subprocess` has it."""
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _end_of_server(path: str) -> int | None:
    """Returns a descriptor that can be read once the process that listens at a socket has ended; None without any."""
    if not sys.platform.startswith("linux"):
        return None
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        pid, *_ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return os.pidfd_open(pid)
    return None
