"""The driver as a process: what signals do to it, and where its libraries' words go."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.bridge import Bridge

GRACE_SECONDS = 10  # after a signal, for running trials to reach their next checkpoint


class Interrupted(BaseException):
    """A second signal, or the end of the time that the first one left; `number` is the first one's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stopping_on_signals(bridge: Bridge) -> Iterator[list[int]]:
    """The first signal lets running trials reach a checkpoint, the second ends the block at once.

    Yields: the numbers of the signals received so far.
    """
    received: list[int] = []

    def on_signal(number: int, _: object) -> None:
        if received:
            raise Interrupted(received[0])
        received.append(number)
        bridge.stop(signal.Signals(number).name)  # says nothing: the signal may have come amid a print
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield received
    except Interrupted:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def chatter_to(path: Path) -> Iterator[None]:
    """What Ray, torch and their C++ parts print goes to the sweep's log for the block, not to the screen."""
    sys.stdout.flush()
    sys.stderr.flush()
    with open(path, "a") as log:
        before = os.dup(1), os.dup(2)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, copy in zip((1, 2), before, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
