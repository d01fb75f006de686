"""What sets one kind of sweep apart from another; `search/sweep.py` starts and runs them all alike."""

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from search import data as sweep_data
from search.default_space import default
from search.queue import Queue, extend, first_queue
from search.settings import Settings, SweepFile, differences, table_differences
from search.space import Space, load_function
from trainable import bucket
from trainable.config import TrialConfig

if TYPE_CHECKING:
    from datasets.dataset import Dataset


class Sweep(ABC):
    """A sweep as a command asks for it.

    Attributes:
      kind: as `sweep.json` has it.
      adds_trials: the flags that ask for more of them.
      way_out: what to do where something differs that may not change.
      folder: of the sweep.
      parent: what a repeat or a refit is of; empty for a search.
      space: what the sampler draws from; None where the queue holds every config whole.
    """

    kind: ClassVar[str]
    adds_trials: ClassVar[str]

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.parent: dict[str, Any] = {}

    @property
    @abstractmethod
    def way_out(self) -> str: ...

    @property
    @abstractmethod
    def space(self) -> Space | None: ...

    @property
    def table(self) -> dict[str, dict[str, Any]]:
        """Raises:
        ConfigError: the space has a corner that is no trainable config.
        """
        return {} if self.space is None else self.space.table()

    def changed(self, file: SweepFile) -> list[str]:
        """What may not change and did since `file` was written, a line each."""
        before, now = file.parent | {"kind": file.kind}, self.parent | {"kind": self.kind}
        lines = [f"{name}: was {before.get(name)}, now {now[name]}" for name in now if before.get(name) != now[name]]
        lines = lines or differences(file.settings, self.settings)
        return lines or table_differences(file.table, self.table)  # the settings explain the table's

    @abstractmethod
    def first_queue(self) -> tuple[Queue, list[str]]:
        """The queue of a new sweep, and what a person should know of it, a sentence each.

        Raises:
          ConfigError: one of the user's configs cannot be.
        """

    @abstractmethod
    def extend(self, queue: Queue, trials: int) -> list[str]:
        """Adds what is asked for and not held yet, behind the `trials` there are; returns as `first_queue` does."""

    @abstractmethod
    def load(self) -> "Dataset":
        """Raises:
        DataError, ConfigError: with all that is wrong with the data.
        """

    @abstractmethod
    def nets(self) -> list[TrialConfig]:
        """A config for each net that trials may train."""

    @abstractmethod
    def write_results(self, data: "Dataset") -> None:
        """Writes what is made out of the trials that have ended."""

    @abstractmethod
    def summary(self) -> str:
        """What a person is told at the end."""


class Search(Sweep):
    """Of configs that nobody has trained yet.

    Args:
      enqueued: parameters of configs to run first.
    """

    kind = "search"
    adds_trials = "--trials with a larger number goes on"
    way_out = "Start another sweep with --sweep, or run it with the settings above."

    def __init__(self, folder: Path, settings: Settings, enqueued: list[dict[str, Any]]) -> None:
        super().__init__(folder, settings)
        self.enqueued = enqueued

    @cached_property
    def space(self) -> Space:
        function = default if self.settings.space is None else load_function(self.settings.space)
        return Space(function, self.settings.fixed, self.settings.max_epochs)

    def first_queue(self) -> tuple[Queue, list[str]]:
        return first_queue(self.space, self.settings.baselines, self.enqueued)

    def extend(self, queue: Queue, trials: int) -> list[str]:
        extend(queue, self.space, self.enqueued, trials)
        if max(queue, default=-1) < self.settings.trials:
            return []
        return [f"Some enqueued configs wait for their turn; --trials {max(queue) + 1} runs them all."]

    def load(self) -> "Dataset":
        if self.settings.data != sweep_data.DEMO:
            return sweep_data.load(self.settings)
        path = str(sweep_data.demo_images(self.folder))
        self.settings = replace(self.settings, data=path)
        data = sweep_data.load(self.settings)
        note = f"No data given and no folder data/ here: these are generated demo images, in {path}."
        return replace(data, notes=(note, *data.notes))

    def nets(self) -> list[TrialConfig]:
        return self.space.architectures()

    def write_results(self, data: "Dataset") -> None:
        from analysis.choice import choose
        from analysis.record import Record
        from analysis.repeated import REPEAT
        from analysis.results import write_results

        bucket.fetch(self.folder / REPEAT)  # of another driver, which may have run meanwhile
        record = Record(self.folder)
        write_results(record, data)
        if choice := choose(record):
            print(f"{choice.sentence}\n{choice.comparison}")

    def summary(self) -> str:
        from analysis.record import Record
        from analysis.summary import summary

        return summary(Record(self.folder))
