"""What sets one kind of sweep apart from another; `search/runtime/sweep.py` starts and runs them all alike."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sweep.search import spaces
from sweep.search.portfolios import by_cost, published
from sweep.search.runtime import data as sweep_data
from sweep.search.runtime.memory import Limit, why_too_large
from sweep.search.runtime.queue import Queue, extend, first_queue
from sweep.search.runtime.settings import NEWEST_DEFAULTS, differences, table_differences
from sweep.search.runtime.turns import Turns
from sweep.search.spaces import proposal
from sweep.search.spaces.space import Space
from sweep.storage import paths, user_code
from sweep.storage.schema import to_json
from sweep.storage.store import store_of
from sweep.storage.sweep_file import Parent, QueueEntry, Settings, SweepFile, Table, Values, WeightsEntry
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.metrics import is_own
from sweep.trainable.weights import needed

if TYPE_CHECKING:
    from sweep.datasets.headers import Headers
    from sweep.datasets.pixels.dataset import Dataset
    from sweep.search.runtime.likes import Earlier


class Sweep(ABC):
    """A sweep as a command asks for it.

    Attributes:
      kind: as `sweep.json` has it.
      adds_trials: the flags that ask for more of them.
      way_out: what to do where something differs that may not change.
      folder: of the sweep.
      parent: what a repeat or a refit is of; None for a search.
      defaults: the number of each published default that it goes on under, as `sweep.json` has them.
      pixels: the form in which its pixels are kept; None where it is new, or older than the choice.
      weights: of pretrained nets, as `sweep.json` has them, or that of the search; empty where it is new.
      imbalance: the number of what is searched beside the space because the classes are unequal; None for nothing.
      space: what the sampler draws from; None where the queue holds every config whole.
    """

    kind: ClassVar[str]
    adds_trials: ClassVar[str]
    way_out: str

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.parent: Parent | None = None
        self.defaults = NEWEST_DEFAULTS
        self.pixels: str | None = None
        self.weights: Mapping[str, WeightsEntry] = {}
        self.imbalance: int | None = None

    @property
    @abstractmethod
    def space(self) -> Space | None: ...

    @property
    def table(self) -> Table:
        """Raises:
        ConfigError: the space has a corner that is no trainable config.
        """
        return {} if self.space is None else self.space.table()

    def changed(self, file: SweepFile) -> list[str]:
        """What may not change and did since `file` was written, a line each."""
        before, now = ((to_json(of.parent) or {}) | {"kind": of.kind} for of in (file, self))
        lines = [f"{name}: was {before.get(name)}, now {now[name]}" for name in now if before.get(name) != now[name]]
        lines = lines or differences(file.settings, self.settings)
        return lines or self.changed_space(file)  # the settings explain the table's

    @property
    def own(self) -> dict[str, str]:
        """The models, metrics and transforms in files of the user's, each with the digest of its file."""
        named = [name for config in self.corners() for name in (config.arch, *config.own_transforms)]
        own = [*filter(is_own, [self.settings.metric]), *filter(user_code.is_reference, named)]
        return {name: user_code.digest(name) for name in own}

    @property
    def nets(self) -> set[str]:
        """The pretrained nets that trials begin with."""
        return {net for config in self.corners() for net in needed(config)}

    def changed_space(self, file: SweepFile) -> list[str]:
        """Returns how the space changed since `file` was written, a line each; its table counts, not its name."""
        return table_differences(file.table, self.table)

    def settle(self, has_gpu: bool) -> list[str]:
        """Chooses what the command of a new sweep leaves to the data; returns a sentence on each choice.

        Raises:
          DataError, ConfigError: the data has none of the known forms, or nothing fits.
        """
        return []

    def settle_by_data(self, data: "Dataset") -> None:  # noqa: B027 (a repeat's is that of its search)
        """Chooses what of a new sweep the images and labels decide."""

    def check_configs(self) -> None:  # noqa: B027 (a repeat's are those of its search)
        """Raises:
        ConfigError: one of the user's configs cannot be.
        """

    def check_memory(self, limit: Limit) -> None:  # noqa: B027 (a repeat's were trained before)
        """Raises:
        ConfigError: one of the user's configs needs more.
        """

    @property
    def families(self) -> tuple[str, ...]:
        """The architectures of which each gets a share of the first draws."""
        return ()

    def turns(self, families: tuple[str, ...]) -> Turns | None:
        """Returns which branch each drawn trial is of, in a space over pretrained nets; None where `families` says it.

        Args:
          families: the architectures that may be drawn.
        """
        return None

    @abstractmethod
    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        """Returns the queue of a new sweep, and what a person should know of it, a sentence each."""

    @abstractmethod
    def extend(self, queue: Queue, trials: int) -> list[str]:
        """Adds what is asked for and not held yet, behind the `trials` there are; returns as `first_queue` does."""

    def load(self) -> "Dataset":
        """Raises:
        DataError, ConfigError: with all that is wrong with the data.
        """
        return sweep_data.load(self.settings, self.defaults, self.pixels)

    def first_load(self) -> "Dataset":
        """Returns the data of a new sweep; raises as `load` does."""
        return self.load()

    @abstractmethod
    def corners(self) -> list[TrialConfig]:
        """Returns the configs among which every net is, and the largest and the smallest net and batch."""

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
      enqueue_file: which they were read from.
      names_space: whether the command itself names the space; a file that only `sweep.json` names is never run.
    """

    kind = "search"
    adds_trials = "--trials with a larger number goes on"
    way_out = "Start another sweep with --sweep, or run it with the settings above."

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        enqueued: list[Values],
        enqueue_file: Path | None = None,
        names_space: bool = True,
    ) -> None:
        super().__init__(folder, settings)
        self.enqueued, self.enqueue_file, self.names_space = enqueued, enqueue_file, names_space

    @cached_property
    def space(self) -> Space:
        if self.is_own_space and not self.names_space:
            raise ConfigError(
                f"{self.folder}: draws from {self.settings.space}, a file of yours, which runs only where the command "
                f"names it; add --space {self.settings.space}, or its place by now"
            )
        if self.is_own_space:
            function = user_code.get(self.space_name)
        else:
            function = spaces.suggest_of(self.space_name, self.defaults.space, self.settings.backbones or ())
        addition = None if self.is_own_space or self.imbalance is None else spaces.imbalance(self.imbalance)
        return Space(function, self.settings.fixed, self.settings.max_epochs, addition)

    @property
    def space_name(self) -> str:
        return self.settings.space or spaces.DEFAULT

    @property
    def is_own_space(self) -> bool:
        """Whether the space is in a file of the user's."""
        return user_code.is_reference(self.space_name)

    def settle(self, has_gpu: bool) -> list[str]:
        self.settings, notes = proposal.propose(self.settings, proposal.all_at_hand, self._headers, has_gpu)
        self.imbalance = spaces.NEWEST_IMBALANCE  # until the data is known: a config of the user's may have its fields
        return notes

    def settle_by_data(self, data: "Dataset") -> None:
        number = None if self.is_own_space else proposal.imbalance(self.settings.fixed, data.class_counts)
        if number != self.imbalance:
            self.imbalance = number
            for made_of_it in ("space", "own_configs", "like"):
                vars(self).pop(made_of_it, None)

    @cache  # noqa: B019 (there is one sweep a process)
    def _headers(self) -> "Headers":
        from sweep.datasets.headers import read_headers

        self._generate_demo()
        path, options = Path(self.settings.data), self.settings.data_options
        return read_headers(path, options, self.defaults.listing, self.defaults.decoder)

    def changed_space(self, file: SweepFile) -> list[str]:
        if (self.is_own_space and not self.names_space) or not all(map(user_code.has_run, file.own)):
            return []  # nobody named another
        before = file.settings.space or spaces.DEFAULT
        renamed = [f"space: was {before}, now {self.space_name}"] if before != self.space_name else []
        if renamed and not self.is_own_space and not user_code.is_reference(before):
            return renamed  # the pretrained nets of one may be none of the other
        lines = super().changed_space(file)
        return renamed + lines if lines else []

    @cached_property
    def own_configs(self) -> list[Values]:
        """The user's configs, as parameters of the space."""
        configs = []
        for number, config in enumerate(self.enqueued, start=1):
            try:
                params = self.space.parameters(config)
                self.space.missing(params)
            except ConfigError as error:
                raise ConfigError(f"--enqueue {self.enqueue_file}, entry {number}: {error}") from error
            configs.append(params)
        return configs

    @cached_property
    def like(self) -> tuple[list[QueueEntry], list[str]]:
        """The best configs of the earlier sweeps that the user names, and a sentence on each of these sweeps."""
        from sweep.search.runtime import likes  # what reads a sweep, which others need not wait for

        return likes.entries(self.space, {place: self._best_of(place) for place in self.settings.like or ()})

    @cache  # noqa: B019 (there is one sweep a process)
    def _best_of(self, place: str) -> "list[Earlier]":
        from sweep.search.runtime.likes import best_of

        return best_of(place)

    def check_configs(self) -> None:
        _ = self.own_configs, self.like

    def check_memory(self, limit: Limit) -> None:
        for number, params in enumerate(self.own_configs, start=1):
            if why := why_too_large(self.space, limit, params):
                raise ConfigError(f"--enqueue {self.enqueue_file}, entry {number}: needs {why}")

    @property
    def families(self) -> tuple[str, ...]:
        return self.space.families if self.defaults.sampler > 1 else ()

    def turns(self, families: tuple[str, ...]) -> Turns | None:
        number = self.defaults.space
        if self.is_own_space or not spaces.uses_backbones(self.space_name, number):
            return None
        return Turns(families, by_cost.RECIPES[self.space_name, spaces.own_number(self.space_name, number)])

    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        is_contest = (*data.image_size, len(data.classes)) == published.CONTEST
        by_data = "published" if is_contest else None
        portfolio = {"auto": by_data, "none": None}.get(self.settings.baselines, self.settings.baselines)
        named = None if self.is_own_space else self.space_name
        like, like_notes = self.like
        queue, notes = first_queue(self.space, self.defaults.space, portfolio, self.own_configs, named, like)
        notes = like_notes + notes
        if portfolio and self.settings.baselines == "auto":
            notes.insert(0, published.CONTEST_NOTE)
        return queue, notes

    def extend(self, queue: Queue, trials: int) -> list[str]:
        extend(queue, self.own_configs, trials)
        last = max((number for number, entry in queue.items() if not (entry.baseline or entry.like)), default=-1)
        if last < self.settings.trials:
            return []
        return [f"Some enqueued configs wait for their turn; --trials {last + 1} runs them all."]

    def load(self) -> "Dataset":
        is_demo = self._generate_demo()
        data = super().load()
        if not is_demo:
            return data
        note = "No data given and no folder data/ here: these are generated demo images, "
        return replace(data, notes=(f"{note}{paths.DEMO}/ in the sweep's folder.", *data.notes))

    def _generate_demo(self) -> bool:
        """Returns whether the sweep is of demo images, which are then there."""
        place = paths.own_images(self.folder)
        is_demo = self.settings.data == str(place)
        if is_demo:
            sweep_data.generate_demo(place)
        return is_demo

    def corners(self) -> list[TrialConfig]:
        return self.space.corners()

    def write_results(self, data: "Dataset") -> None:
        from sweep.analysis.estimates.choice import choose
        from sweep.analysis.outputs.results import write_results
        from sweep.analysis.record import Record

        store_of(self.folder).fetch(self.folder / paths.REPEAT)  # of another driver, which may have run meanwhile
        record = Record(self.folder)
        write_results(record, data)
        if choice := choose(record):
            print(f"{choice.sentence}\n{choice.comparison}")

    def summary(self) -> str:
        from sweep.analysis.record import Record
        from sweep.analysis.report.status import summary

        return summary(Record(self.folder))
