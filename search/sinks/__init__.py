"""The sinks, by name: who is told what happens in a running sweep.

A sink is a file `NAME.py` whose `new` makes a `Sink` for a start of a sweep, out of what it has `Begun` with; to add
one, add its file and its name. One of the user's is FILE.py:OBJECT, a class for example, which is called in the same
way.
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
    "screen",  # of every sweep; any other where `--sink` names it
)


EVENTS = ("opened", "started", "prepared", "progressed", "paused", "ended", "said", "closed")  # the methods of a `Sink`


@dataclass(frozen=True)
class Begun:
    """What a start of a sweep begins with.

    Attributes:
      folder: of the sweep; what a sink writes belongs into its folder `sinks`. Of a sweep in a bucket it is a copy, of
        which the bucket gets what `storage.files.written_whole` writes.
      trials: of the sweep in total.
      ended: the trials that have ended before.
      paused: the numbers of those that wait at a rung.
      budget_epochs: of training, of all trials together; None where the number of trials is what is asked for.
      epochs: that each trial was trained before, by its number.
      names: by the number of a queued trial what it is called: a published run's name, for example.
      out: the screen.
      folds: of the images, of which each trial has a net; None where a trial has one net.
      cheap: so many trials, from the first, cost much less than the others: their pace says nothing of these.
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
    """Is told of everything that a person may want to see; this one does nothing with it.

    Events come in any order: a trial may end that was never started here, for a worker of the last driver ended it.
    They come from the thread that runs the sweep, which waits meanwhile. An error ends no sweep; it is said once.
    """

    def opened(self) -> None:
        """Trials are about to run; some may have ended already."""

    def started(self, order: "Order") -> None:
        """An attempt of a trial has been ordered."""

    def prepared(self, number: int, how_far: "Prepared") -> None:
        """What a trial computes before its first epoch, and other trials with it, is so far."""

    def progressed(self, number: int, history: "list[EpochMetrics]") -> None:
        """A trial has made a report of all its epochs so far, with folds of those of one fold after the other."""

    def paused(self, trial: "FrozenTrial") -> None:
        """A trial waits at a rung, without a worker, for others to come there; it will be started again, or ended."""

    def ended(self, trial: "FrozenTrial") -> None:
        """A trial is COMPLETE, PRUNED or FAIL; `search.runtime.ledger.state_of` says which."""

    def said(self, message: str) -> None:
        """A person should know this."""

    def closed(self) -> None:
        """No trial runs any more."""

    @contextmanager
    def open(self) -> Iterator[None]:
        """Tells the sink of a block in which trials run."""
        self.opened()
        try:
            yield
        finally:
            self.closed()


class Sinks(Sink):
    """Tells several sinks, each by its name, in their order.

    Args:
      log: the sweep's, which gets the traceback of a sink's error.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.sinks: dict[str, Sink] = {}
        self.failed: set[str] = set()
        for event in EVENTS:
            setattr(self, event, partial(self._tell, event))

    def _tell(self, event: str, *about: object) -> None:
        for name, sink in self.sinks.items():
            try:
                getattr(sink, event)(*about)
            except Exception as error:
                if signal_behind(error):
                    raise
                self.fail(name, error)

    def fail(self, name: str, error: Exception) -> None:
        """Says that a sink has raised an error, the first time that it does."""
        if name not in self.failed:
            self.failed.add(name)
            with suppress(OSError), open(self.log, "a", encoding="utf-8", errors="backslashreplace") as log:
                traceback.print_exception(error, file=log)
            self.said(
                f"The sink {name} failed ({type(error).__name__}: {error}); the sweep goes on, log.txt says more."
            )


def opened(asked: Iterable[str], begun: Begun) -> Sinks:
    """Returns the screen and the sinks that the user asked for, ready for events."""
    sinks = Sinks(begun.folder / paths.LOG)
    for name in dict.fromkeys([NAMES[0], *asked]):
        try:
            new = user_code.get(name) if user_code.is_reference(name) else import_module(f"{__name__}.{name}").new
            sinks.sinks[name] = new(begun)
        except Exception as error:
            sinks.fail(name, error)
    return sinks
