"""The sinks, which are told what happens in a running sweep; they are looked up by name.

A sink is a file `NAME.py` whose `new` takes a `Begun` and makes a `Sink` for one start of a sweep. To add one, add its
file and its name in `NAMES`. A sink of the user's own is given as FILE.py:OBJECT, for example a class, and is called in
the same way.
"""

import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sweep.search.runtime.process import signal_behind
from sweep.storage import paths, user_code

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from sweep.trainable.features import Prepared
    from sweep.trainable.metrics.history import EpochMetrics
    from sweep.trainable.worker.order import Order

NAMES = (
    "screen",  # part of every sweep; others are added by `--sink`
)


EVENTS = (
    "opened",
    "started",
    "prepared",
    "progressed",
    "paused",
    "ended",
    "announced",
    "closed",
)  # the methods of a `Sink`


@dataclass(frozen=True)
class Begun:
    """The situation in which a start of a sweep begins.

    Attributes:
      folder: the folder of the sweep; a sink writes into its subfolder `sinks`. For a sweep in a bucket this is a copy;
        the bucket receives what `storage.files.written_whole` writes.
      trials: the total number of trials in the sweep.
      metric: the name of the metric by which trials are judged.
      ended: the trials that ended in earlier starts.
      names: the name of each queued trial, for example that of a published run, by the trial's number.
      out: the screen.
      folds: the number of folds, for each of which a trial trains a net; None if a trial trains one net.
      cheap: the number of first trials that take much less time than the others and so do not predict their pace.
      paused: the numbers of the trials that wait at a rung.
      budget_epochs: the epochs that all trials together may train; None if the number of trials is the limit.
      epochs: the epochs that each trial was trained before, by its number.
    """

    folder: Path
    trials: int
    metric: str
    ended: "list[FrozenTrial]"
    names: dict[int, str]
    out: TextIO
    folds: int | None = None
    cheap: int = 0
    paused: Collection[int] = ()
    budget_epochs: int | None = None
    epochs: Mapping[int, int] = field(default_factory=dict)


class Sink:
    """The base class of sinks, whose methods are called for each event; this one ignores all of them.

    Events come in any order: a trial may end that this start never started, because a worker of the last driver ended
    it. The methods are called by the thread that runs the sweep, which waits for them. An error in a sink does
    not end the sweep; it is reported once.
    """

    def opened(self) -> None:
        """Is called before trials run; some may have ended already."""

    def started(self, order: "Order") -> None:
        """Is called when an attempt of a trial has been ordered."""

    def prepared(self, number: int, how_far: "Prepared") -> None:
        """Reports the progress of a computation that a trial, maybe with others, needs before its first epoch."""

    def progressed(self, number: int, history: "list[EpochMetrics]") -> None:
        """Reports all epochs of a trial so far; with folds, those of one fold after the other."""

    def paused(self, trial: "FrozenTrial") -> None:
        """Is called when a trial waits at a rung without a worker; it will be started again or ended later."""

    def ended(self, trial: "FrozenTrial") -> None:
        """Is called when a trial is COMPLETE, PRUNED or FAIL; `search.runtime.ledger.state_of` says which."""

    def announced(self, message: str) -> None:
        """Passes on a message for a person."""

    def closed(self) -> None:
        """Is called when no trial runs any more."""

    @contextmanager
    def open(self) -> Iterator[None]:
        """Calls `opened` before a block in which trials run, and `closed` after it."""
        self.opened()
        try:
            yield
        finally:
            self.closed()


class Sinks(Sink):
    """Passes each event on to several sinks in their order.

    Args:
      log: the log file of the sweep, which receives the traceback if a sink raises an error.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.sinks: dict[str, Sink] = {}
        self.failed: set[str] = set()
        for event in EVENTS:
            setattr(self, event, partial(self._tell, event))

    def _tell(self, event: str, *arguments: object) -> None:
        for name, sink in self.sinks.items():
            try:
                getattr(sink, event)(*arguments)
            except Exception as error:
                if signal_behind(error):
                    raise
                self.fail(name, error)

    def fail(self, name: str, error: Exception) -> None:
        """Reports an error of a sink, but only the first one of each sink."""
        if name not in self.failed:
            self.failed.add(name)
            with suppress(OSError), open(self.log, "a", encoding="utf-8", errors="backslashreplace") as log:
                traceback.print_exception(error, file=log)
            self.announced(
                f"The sink {name} failed ({type(error).__name__}: {error}); the sweep goes on, log.txt says more."
            )


def opened(names: Iterable[str], begun: Begun) -> Sinks:
    """Returns the screen and the sinks of these names, ready for events."""
    sinks = Sinks(begun.folder / paths.LOG)
    for name in dict.fromkeys([NAMES[0], *names]):
        try:
            new = user_code.get(name) if user_code.is_reference(name) else import_module(f"{__name__}.{name}").new
            sinks.sinks[name] = new(begun)
        except Exception as error:
            sinks.fail(name, error)
    return sinks
