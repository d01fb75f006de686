"""The kinds of sweeps, of which this file has the base class and the search; `sweep.py` runs all kinds alike."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sweep.search import spaces
from sweep.search.portfolios import by_cost, published
from sweep.search.runtime import data as sweep_data
from sweep.search.runtime.memory import MemoryLimit, why_too_large
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


class RequestedSweep(ABC):
    """A sweep as a command asks for it.

    Attributes:
      kind: the kind's name in `sweep.json`.
      adds_trials: tells the user which flags ask for more trials.
      way_out: tells the user what to do if a setting differs that may not change.
      folder: the folder of the sweep.
      settings: what the command asks for.
      parent: the sweep of which this is a repeat or a refit; None for a search.
      defaults: the number of each published default under which it runs, as `sweep.json` stores them.
      pixels: the form in which its pixels are kept; None for a new sweep, and for one from before there was a choice.
      weights: the pretrained nets' weights that `sweep.json` records for it or its search; empty for a new sweep.
      imbalance: the number of the addition that is searched because the classes are unequal; None for no addition.
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
    def space(self) -> Space | None:
        """The space from which the sampler draws; None if the queue holds every config whole."""

    @property
    def table(self) -> Table:
        """The table of the space, by which a later start recognises that it is the same one.

        Raises:
          ConfigError: the space has a corner that is no trainable config.
        """
        return {} if self.space is None else self.space.table()

    def changed(self, file: SweepFile) -> list[str]:
        """Returns one line for each setting that may not change and did since `file` was written."""
        old, new = ((to_json(each.parent) or {}) | {"kind": each.kind} for each in (file, self))
        lines = [f"{name}: was {old.get(name)}, now {new[name]}" for name in new if old.get(name) != new[name]]
        lines = lines or differences(file.settings, self.settings)
        return lines or self.changed_space(file)  # other settings explain why the table differs

    @property
    def own(self) -> dict[str, str]:
        """The models, metrics and transforms in the user's files, each with the digest of its file."""
        names = [name for config in self.corners() for name in (config.arch, *config.own_transforms)]
        references = [*filter(is_own, [self.settings.metric]), *filter(user_code.is_reference, names)]
        return {name: user_code.digest(name) for name in references}

    @property
    def nets(self) -> set[str]:
        """The pretrained nets from which trials start."""
        return {net for config in self.corners() for net in needed(config)}

    def changed_space(self, file: SweepFile) -> list[str]:
        """Returns one line for each change of the space since `file` was written; its table counts, not its name."""
        return table_differences(file.table, self.table)

    def settle(self, has_gpu: bool) -> list[str]:
        """Chooses what the command of a new sweep leaves to the data, and returns a sentence on each choice.

        Raises:
          DataError, ConfigError: the data has no known form, or no choice is possible.
        """
        return []

    def settle_by_data(self, data: "Dataset") -> None:  # noqa: B027 (a repeat takes the choices of its search)
        """Makes the choices for a new sweep that depend on the images and labels."""

    def check_configs(self) -> None:  # noqa: B027 (a repeat has the configs of its search)
        """Checks the configs that the user enqueued.

        Raises:
          ConfigError: one of them is not possible in the space.
        """

    def check_memory(self, limit: MemoryLimit) -> None:  # noqa: B027 (a repeat's configs were trained before)
        """Checks that the configs that the user enqueued fit into memory.

        Raises:
          ConfigError: one of them does not.
        """

    @property
    def families(self) -> tuple[str, ...]:
        """The architectures that each get a share of the first draws."""
        return ()

    def turns(self, families: tuple[str, ...]) -> Turns | None:
        """Returns the turns that choose the branch of each drawn trial; None in a space without pretrained nets.

        Args:
          families: the architectures that may be drawn.
        """
        return None

    @abstractmethod
    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        """Returns the queue of a new sweep, and sentences that a person should read about it."""

    @abstractmethod
    def extend(self, queue: Queue, trials: int) -> list[str]:
        """Adds the configs that the queue lacks, after the existing `trials`; returns sentences on them."""

    def load(self) -> "Dataset":
        """Returns the data.

        Raises:
          DataError, ConfigError: with everything that is wrong with the data.
        """
        return sweep_data.load(self.settings, self.defaults, self.pixels)

    def first_load(self) -> "Dataset":
        """Returns the data of a new sweep; raises the same errors as `load`."""
        return self.load()

    @abstractmethod
    def corners(self) -> list[TrialConfig]:
        """Returns configs that include every net, and the largest and smallest nets and batches."""

    @abstractmethod
    def write_results(self, data: "Dataset") -> None:
        """Writes the results of the trials that have ended."""

    @abstractmethod
    def summary(self) -> str:
        """Returns the summary that is shown at the end."""


class Search(RequestedSweep):
    """A sweep over configs that nobody has trained yet.

    Args:
      enqueued: the configs to run first, as the user gave them.
      enqueue_file: the file from which they were read.
      names_space: whether the command itself names the space; a user's file that only `sweep.json` names is never run.
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
        """The space from which the sampler draws.

        Raises:
          ConfigError: it is in a file of the user's, and the command does not name it.
        """
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
        """The name of the published space, or the reference FILE.py:OBJECT of the user's own."""
        return self.settings.space or spaces.DEFAULT

    @property
    def is_own_space(self) -> bool:
        """Whether the space is in a file of the user's."""
        return user_code.is_reference(self.space_name)

    def settle(self, has_gpu: bool) -> list[str]:
        """Chooses the space, the pretrained nets and the size of the images; returns a sentence on each choice."""
        self.settings, notes = proposal.propose(self.settings, proposal.all_at_hand, self._headers, has_gpu)
        self.imbalance = spaces.NEWEST_IMBALANCE  # until the data is known, since a user's config may have its fields
        return notes

    def settle_by_data(self, data: "Dataset") -> None:
        """Leaves out the addition for unequal classes if the classes are about equal."""
        number = None if self.is_own_space else proposal.imbalance(self.settings.fixed, data.class_counts)
        if number != self.imbalance:
            self.imbalance = number
            for cached_name in ("space", "own_configs", "like"):
                vars(self).pop(cached_name, None)

    @cache  # noqa: B019 (a process has only one sweep)
    def _headers(self) -> "Headers":
        from sweep.datasets.headers import read_headers

        self._generate_demo()
        path, options = Path(self.settings.data), self.settings.data_options
        return read_headers(path, options, self.defaults.listing, self.defaults.decoder)

    def changed_space(self, file: SweepFile) -> list[str]:
        """Returns one line for each change of the space since `file` was written.

        Returns none if the user's files did not run in this start, so that there is nothing to compare.
        """
        if (self.is_own_space and not self.names_space) or not all(map(user_code.has_run, file.own)):
            return []  # the command names no other space
        before = file.settings.space or spaces.DEFAULT
        rename_lines = [f"space: was {before}, now {self.space_name}"] if before != self.space_name else []
        if rename_lines and not self.is_own_space and not user_code.is_reference(before):
            return rename_lines  # the tables cannot be compared: one space may lack the other's pretrained nets
        lines = super().changed_space(file)
        return rename_lines + lines if lines else []

    @cached_property
    def own_configs(self) -> list[Values]:
        """The configs that the user enqueued, as parameters of the space."""
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
        from sweep.search.runtime import likes  # imports what reads sweeps, which other searches do not need

        return likes.entries(self.space, {place: self._best_of(place) for place in self.settings.like or ()})

    @cache  # noqa: B019 (a process has only one sweep)
    def _best_of(self, place: str) -> "list[Earlier]":
        from sweep.search.runtime.likes import best_of

        return best_of(place)

    def check_configs(self) -> None:
        """Checks the enqueued configs and those of earlier sweeps."""
        _ = self.own_configs, self.like

    def check_memory(self, limit: MemoryLimit) -> None:
        """Checks that each enqueued config fits into memory."""
        for number, params in enumerate(self.own_configs, start=1):
            if why := why_too_large(self.space, limit, params):
                raise ConfigError(f"--enqueue {self.enqueue_file}, entry {number}: needs {why}")

    @property
    def families(self) -> tuple[str, ...]:
        """The architectures of the space; empty for sweeps under the first sampler, which drew freely."""
        return self.space.families if self.defaults.sampler > 1 else ()

    def turns(self, families: tuple[str, ...]) -> Turns | None:
        """Returns the turns that choose the branch of each drawn trial; None in a space without pretrained nets."""
        number = self.defaults.space
        if self.is_own_space or not spaces.uses_backbones(self.space_name, number):
            return None
        return Turns(families, by_cost.RECIPES[self.space_name, spaces.own_number(self.space_name, number)])

    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        """Returns the queue of a new search, and sentences on what it holds and leaves out."""
        is_contest = (*data.image_size, len(data.classes)) == published.CONTEST
        by_data = "published" if is_contest else None
        portfolio = {"auto": by_data, "none": None}.get(self.settings.baselines, self.settings.baselines)
        name = None if self.is_own_space else self.space_name
        like, like_notes = self.like
        queue, notes = first_queue(self.space, self.defaults.space, portfolio, self.own_configs, name, like)
        notes = like_notes + notes
        if portfolio and self.settings.baselines == "auto":
            notes.insert(0, published.CONTEST_NOTE)
        return queue, notes

    def extend(self, queue: Queue, trials: int) -> list[str]:
        """Adds the user's configs that are not in the queue; says so if `--trials` is too small to run them all."""
        extend(queue, self.own_configs, trials)
        last = max((number for number, entry in queue.items() if not (entry.baseline or entry.like)), default=-1)
        if last < self.settings.trials:
            return []
        return [f"Some enqueued configs wait for their turn; --trials {last + 1} runs them all."]

    def load(self) -> "Dataset":
        """Returns the data of the search; without `--data` these are demo images, which are generated first."""
        is_demo = self._generate_demo()
        data = super().load()
        if not is_demo:
            return data
        note = "No data given and no folder data/ here: these are generated demo images, "
        return replace(data, notes=(f"{note}{paths.DEMO}/ in the sweep's folder.", *data.notes))

    def _generate_demo(self) -> bool:
        """Returns whether the sweep uses demo images, and generates them if they are missing."""
        place = paths.own_images(self.folder)
        is_demo = self.settings.data == str(place)
        if is_demo:
            sweep_data.generate_demo(place)
        return is_demo

    def corners(self) -> list[TrialConfig]:
        """Returns the configs at the corners of the space."""
        return self.space.corners()

    def write_results(self, data: "Dataset") -> None:
        """Writes the results, and prints which config is the final choice."""
        from sweep.analysis.estimates.choice import choose
        from sweep.analysis.outputs.results import write_results
        from sweep.analysis.record import Record

        store_of(self.folder).fetch(self.folder / paths.REPEAT)  # another driver may have run the repeat meanwhile
        record = Record(self.folder)
        write_results(record, data)
        if choice := choose(record):
            print(f"{choice.sentence}\n{choice.comparison}")

    def summary(self) -> str:
        """Returns the summary of the search that `status` shows too."""
        from sweep.analysis.record import Record
        from sweep.analysis.report.status import summary

        return summary(Record(self.folder))
