"""The watchdog of a worker: a process of its own, which ends the worker when an epoch of it hangs.

    python -I -S trainable/worker/watchdog.py PID     # of its parent; orders come on standard input

It is told how long an epoch may take, and counts the seconds that it waits itself. A clock would count those in which
the whole machine was paused (`docker pause`, a laptop's lid), and a pause is no hang. Nothing in the worker can hold it
up, as a call in C that keeps Python's lock would a thread. Imports nothing heavy: each worker has one.
"""

import faulthandler
import math
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

LOOK_SECONDS = 1.0
DUMP = signal.SIGUSR2  # makes the worker write the stacks of its threads, in C
DUMP_SECONDS = 1.0  # for that, before the worker is ended
STANDARD_ERROR = 2


@contextmanager
def ended_when_hung(seconds: float, stacks: IO[str]) -> Iterator[None]:
    """Ends this process, its threads' stacks written to an open file, where the block takes longer.

    No file of an attempt is written within the block: a slow disk is no hang, and nothing is cut. Where no process can
    be started, none watches the block.
    """
    faulthandler.register(DUMP, file=stacks, all_threads=True)
    _tell(seconds)
    try:
        yield
    finally:
        _tell(math.inf)
        # The signal may still be on its way, for a block that has just ended: without a handler it would end the
        # process, and what it has written so far would tell of a hang.
        faulthandler.register(DUMP, file=STANDARD_ERROR, all_threads=True)
        with suppress(OSError):
            stacks.truncate(0)


def _tell(seconds: float) -> None:
    """Tells the watchdog of this process how long it may take from now on; starts it where there is none."""
    for _ in range(2):
        try:
            orders = _watchdog(os.getpid()).stdin
            assert orders is not None
            os.write(orders.fileno(), f"{seconds}\n".encode())
        except BrokenPipeError:  # somebody has ended it: another one is started
            _watchdog.cache_clear()
        except OSError:  # too many processes, or files: no fault of the trial, nor of its storage
            return
        else:
            return


@cache
def _watchdog(pid: int) -> subprocess.Popen[bytes]:
    """Starts the watchdog of a process; a fork of that needs one of its own."""
    command = [sys.executable, "-I", "-S", __file__, str(pid)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def is_hung(wait: Callable[[float], str | None], is_paused: Callable[[], bool]) -> bool:
    """Counts down what each order allows; returns True once that is used up, False once there are no orders any more.

    Args:
      wait: waits so many seconds, or for orders; returns these, empty at their end, or None if none came.
      is_paused: whether the worker is stopped at this moment.
    """
    left = math.inf
    while left > 0:
        seconds = min(LOOK_SECONDS, left)
        orders = wait(seconds)
        if orders == "":
            return False
        if orders is not None:
            left = float(orders.split()[-1])
        elif not is_paused():
            left -= seconds  # a wait that took longer was interrupted by a pause
    return True


def _wait(seconds: float) -> str | None:
    if select.select([0], [], [], seconds)[0]:
        return os.read(0, 4096).decode()
    return None


def _is_stopped(pid: int) -> bool:
    """Returns whether a process is stopped by a signal or a debugger; where there is no /proc, it never is."""
    with suppress(OSError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[0] in "tT"
    return False


def main() -> None:
    worker = int(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # meant for the driver; this ends with the worker
        signal.signal(number, signal.SIG_IGN)
    while is_hung(_wait, lambda: _is_stopped(worker)) and os.getppid() == worker:
        os.kill(worker, DUMP)
        if not select.select([0], [], [], DUMP_SECONDS)[0]:  # with orders the epoch has ended after all
            os.kill(worker, signal.SIGKILL)
            return


if __name__ == "__main__":
    main()
