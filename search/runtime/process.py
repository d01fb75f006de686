"""The driver as a process: how it reacts to signals, and where the output of its libraries goes."""

import math
import os
import signal
import sys
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Timer
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from sweep.storage.states import Stop

if TYPE_CHECKING:
    from sweep.search.runtime.bridge import Bridge

GRACE_SECONDS = 7  # after a signal, for running trials to reach their next checkpoint
LAST_SECONDS = 9.5  # after a signal, for everything else; then the process ends itself
# The code of imports. An error raised in it can leave its lock taken for ever, and other threads import while Ray
# starts.
IMPORTING = "<frozen importlib._bootstrap>"
AGAIN_SECONDS = 0.01  # after which a signal that arrived during an import is sent again
_pending: list[int] = []  # the signals whose `Interrupted` has not left its block yet
_last_resort: list[Callable[[int], None]] = []  # called by the first signal within `ended_in_time`
_screen: list[int] = []  # the descriptor of the screen while standard output goes to a log


class Interrupted(BaseException):
    """A signal that ends the running block at once.

    Attributes:
      number: the number of the signal; if it is the second one, that of the first.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Makes SIGINT, SIGTERM and SIGHUP end the block with `Interrupted`; outside of trials nothing is waited for.

    An exception that a signal handler raises is lost if it arises in the callback of a weak reference, which every
    import has, or in a library that catches all exceptions. So it is raised again before trials begin, and at the end
    of the block.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        _begin_last_resort(number)
        if frame is not None and frame.f_code.co_filename == IMPORTING:
            Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()
            return
        _pending.append(number)
        raise Interrupted(number)

    try:
        with _handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), on_signal):
            yield
            _raise_lost_signal()
    finally:
        _pending.clear()


def _raise_lost_signal() -> None:
    if _pending:
        raise Interrupted(_pending[0])


@contextmanager
def stopping_on_signals(bridge: "Bridge") -> Iterator[list[int]]:
    """Lets running trials reach a checkpoint after the first signal, and ends the block at the second.

    Without a second signal, the block is ended after `GRACE_SECONDS`. Its end by a signal is no error.

    Yields:
      A list that gets the number of the first signal.

    Raises:
      Interrupted: a signal came before the block, and a library had swallowed its exception.
    """
    _raise_lost_signal()
    numbers: list[int] = []
    is_in_block = True

    def on_signal(number: int, _: object) -> None:
        if numbers:
            raise Interrupted(numbers[0])
        numbers.append(number)
        _begin_last_resort(number)
        bridge.stop(Stop.SIGNAL, signal.Signals(number).name)  # prints nothing, as the signal may interrupt a print
        if is_in_block:  # behind the block, SIGALRM has its default handler again and would end the process
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS, 1)  # repeats, in case a library swallows the exception

    try:
        with _handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM), on_signal):
            try:
                yield numbers
            finally:
                is_in_block = False
                signal.setitimer(signal.ITIMER_REAL, 0)
                if _last_resort:
                    _last_resort[-1](0)  # the trials have ended, and writing the results may take longer
    except BaseException as error:
        if signal_behind(error) is None:
            raise


@contextmanager
def ended_in_time() -> Iterator[None]:
    """Ends this process if the block has not ended ten seconds after a signal.

    A library may wait in C code, where no Python handler runs, and a thread cannot be interrupted at all.
    """
    countdowns: list[Event] = []

    def begin(number: int) -> None:
        """Starts the countdown at the first signal; later ones change nothing, and the number 0 stops it."""
        if number and not countdowns:
            countdowns.append(Event())
            # To start a `threading.Thread` takes a lock of that module, which the interrupted code may hold.
            start_new_thread(_end_unless, (countdowns[0], stopped_by(number), 128 + number))
        elif not number:
            while countdowns:
                countdowns.pop().set()

    _last_resort.append(begin)
    try:
        yield
    finally:
        _last_resort.remove(begin)
        begin(0)


def _end_unless(stop: Event, message: str, code: int) -> None:
    if not stop.wait(LAST_SECONDS):
        end_at_once(message, code)


def _begin_last_resort(number: int) -> None:
    if _last_resort:
        _last_resort[-1](number)


def tell(message: str) -> None:
    """Writes a line on the screen from any thread, also while standard output goes to a log."""
    with suppress(OSError):
        os.write(_screen[-1] if _screen else 1, f"{message}\n".encode())


def end_at_once(message: str, code: int) -> None:
    """Ends this process from any of its threads, with a last line on the screen."""
    tell(message)
    os._exit(code)


def stopped_by(number: int) -> str:
    """Returns the message at the end of a command that a signal has ended."""
    name = signal.Signals(number).name
    return f"Stopped by {name}; nothing that was recorded is lost: run the same command again to go on."


def looks(seconds: float, every: float) -> Iterator[int]:
    """Counts how many times the caller checks something it waits for; the caller waits `every` seconds each time.

    Checks are counted instead of reading a clock, so that a pause of the whole machine does not use up the time.

    Args:
      seconds: the total time, after which there are no more checks.
    """
    return iter(range(max(1, math.ceil(seconds / every))))


def signal_behind(error: BaseException | None) -> Interrupted | None:
    """Returns the signal that caused an error, or None.

    Up to Python 3.11, an exception that arises while a class is created, for instance in an import, is turned into a
    RuntimeError; Ray's core turns one that arises while it waits into a SystemError.
    """
    while error is not None and not isinstance(error, Interrupted):
        error = error.__cause__
    return error


@contextmanager
def _handling(numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    earlier_handlers = {}
    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores hang-ups: keep that
            earlier_handlers[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier_handler in earlier_handlers.items():
            signal.signal(number, signal.SIG_DFL if earlier_handler is None else earlier_handler)


def screen() -> TextIO:
    """Returns standard output under a descriptor of its own, which remains the screen within `chatter_to`."""
    return os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)


@contextmanager
def chatter_to(path: Path) -> Iterator[None]:
    """Redirects what Ray, torch and their C++ parts print during the block from the screen to the sweep's log."""
    sys.stdout.flush()
    sys.stderr.flush()
    with open(path, "ab") as log:
        descriptors = os.dup(1), os.dup(2)
        _screen.append(descriptors[0])
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):  # if the disk is full, the screen must be restored to say so
                    stream.flush()
            _screen.pop()
            for descriptor, copy in zip((1, 2), descriptors, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
