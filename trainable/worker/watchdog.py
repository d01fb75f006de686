"""The watchdog of a worker: a separate process that ends the worker when one of its epochs hangs.

    python -I -S trainable/worker/watchdog.py PID     # PID is its parent; it reads orders from standard input

It is told how long an epoch may take, and counts down the seconds that it has waited itself. It does not use a clock,
because a clock would also count the time in which the whole machine was paused (`docker pause`, a laptop's lid), and a
pause is not a hang. It is a process because nothing in the worker can delay it; a thread would be delayed by a call in
C that holds Python's lock. It imports nothing heavy, because each worker has one.
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
DUMP = signal.SIGUSR2  # makes the worker write the stacks of its threads, without running Python code
DUMP_SECONDS = 1.0  # time for writing the stacks, before the worker is ended
STANDARD_ERROR = 2


@contextmanager
def ended_when_hung(seconds: float, stacks: IO[str]) -> Iterator[None]:
    """Ends this process if the block takes longer than `seconds`.

    The stacks of all threads are then written to the open file `stacks`. No other file of an attempt may be written
    within the block, so that a slow disk is not taken for a hang and no file is cut off. If no watchdog process can be
    started, the block runs without one.
    """
    faulthandler.register(DUMP, file=stacks, all_threads=True)
    _tell(seconds)
    try:
        yield
    finally:
        _tell(math.inf)
        # The signal may still be on its way although the block has just ended. So a handler stays registered, because
        # without one the signal would end the process. Stacks that were written are deleted, because they would look
        # like a hang.
        faulthandler.register(DUMP, file=STANDARD_ERROR, all_threads=True)
        with suppress(OSError):
            stacks.truncate(0)


def _tell(seconds: float) -> None:
    """Tells the watchdog of this process how long it may take from now on; starts the watchdog if necessary."""
    for _ in range(2):
        try:
            orders = _watchdog(os.getpid()).stdin
            assert orders is not None
            os.write(orders.fileno(), f"{seconds}\n".encode())
        except BrokenPipeError:  # the watchdog was killed: another one is started
            _watchdog.cache_clear()
        except OSError:  # too many processes or open files, which is neither the trial's nor the storage's fault
            return
        else:
            return


@cache
def _watchdog(pid: int) -> subprocess.Popen[bytes]:
    """Starts the watchdog of a process; the argument gives a fork of the process a watchdog of its own."""
    command = [sys.executable, "-I", "-S", __file__, str(pid)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def is_hung(wait: Callable[[float], str | None], is_paused: Callable[[], bool]) -> bool:
    """Counts down the seconds that each order allows.

    Args:
      wait: waits this many seconds or until orders come; returns the orders, empty at their end, or None if none came.
      is_paused: whether the worker is stopped at this moment.

    Returns:
      True once the seconds are used up; False once no more orders can come.
    """
    seconds_left = math.inf
    while seconds_left > 0:
        seconds = min(LOOK_SECONDS, seconds_left)
        orders = wait(seconds)
        if orders == "":
            return False
        if orders is not None:
            seconds_left = float(orders.split()[-1])
        elif not is_paused():
            seconds_left -= seconds  # not the time that passed, which includes pauses of the machine
    return True


def _wait(seconds: float) -> str | None:
    if select.select([0], [], [], seconds)[0]:
        return os.read(0, 4096).decode()
    return None


def _is_stopped(pid: int) -> bool:
    """Returns whether a signal or a debugger has stopped a process; without /proc, always False."""
    with suppress(OSError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[0] in "tT"
    return False


def main() -> None:
    """Watches the worker until it ends, or ends it when it hangs."""
    worker = int(sys.argv[1])
    # These signals are meant for the driver; the watchdog ends with its worker.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    while is_hung(_wait, lambda: _is_stopped(worker)) and os.getppid() == worker:
        os.kill(worker, DUMP)
        if not select.select([0], [], [], DUMP_SECONDS)[0]:  # an order means that the epoch has ended after all
            os.kill(worker, signal.SIGKILL)
            return


if __name__ == "__main__":
    main()
