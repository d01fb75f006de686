"""Sweeps of the best configs of a search: a repeat under other seeds, and a refit for the final prediction.

The search is only read, and may still run. Each is a sweep of its own, in a folder within that of the search, with
its own lock and ledger. Its queue holds every config whole, so that whatever the search does later changes nothing
in what was begun.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.commands import own_code, search_command
from analysis.estimates import repeated
from analysis.outputs.tables import write_tables
from analysis.record import Record, TrialRecord
from analysis.report.contents import count_states, progress
from datasets.pixels.rows import joined as joined_pixels
from search.runtime.queue import Queue
from search.runtime.queue import repeated as with_other_seeds
from search.runtime.settings import read_sweep
from search.runtime.sweep_kinds import Sweep
from storage import paths
from storage.errors import SweepError
from storage.states import State
from storage.sweep_file import SEARCH, Parent, Values
from trainable.config import ConfigError, TrialConfig
from trainable.metrics import LAST

if TYPE_CHECKING:
    from datasets.pixels.dataset import Dataset


class Again(Sweep):
    """Of the best configs of a search, under seeds that it did not use, none of them pruned.

    Args:
      search: folder of the search.
      count: how many of its COMPLETE trials, the best ones; those that differ in nothing but their seed are one.
      seeds: runs of each.
      data: where the data lies now; None for where it was last.
      changed: settings that are not the search's.

    Raises:
      SweepError: the search has no COMPLETE trial, or is none.
    """

    space = None

    def __init__(self, search: Path, count: int, seeds: int, data: str | None, **changed: Any) -> None:
        file = read_sweep(search)
        if file.kind != SEARCH:
            raise SweepError(f"{search}: is a {file.kind} itself; give the folder of its search, {search.parent}")
        folder = search / self.kind
        held = read_sweep(folder) if paths.is_sweep(folder) else None
        self.trials = best_trials(Record(search), count)
        self.queue, trials = with_other_seeds(held.queue if held else {}, self.trials, seeds, file.settings.seed)
        # Where it was named last; the search, whose data was moved since, may know better.
        places = [part.settings.data for part in (held, file) if part]
        last = next((place for place in places if os.path.exists(place)), places[0])
        place = os.path.realpath(data) if data else last
        draws_nothing: Values = {"space": None, "fixed": {}, "baselines": "none", "sampler": "random", "pruner": "none"}
        super().__init__(folder, replace(file.settings, data=place, trials=trials, **draws_nothing | changed))
        self.search, self.searched, self.parent = search, file, Parent(file.id)
        self.way_out = f"Move {folder} away, and this command begins anew."
        self.defaults, self.pixels = file.defaults, file.pixels  # under others its data might be other data
        self.weights = file.weights or {}

    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        return self.queue, []

    def extend(self, queue: Queue, trials: int) -> list[str]:
        queue.update(self.queue)
        return []

    def first_load(self) -> "Dataset":
        """Raises:
        DataError: these are not the data of the search.
        """
        from analysis.sweep_data import load_same

        place, file = self.settings.data, self.searched
        return load_same(self.search, place, file.settings.data, file.fingerprint, self.load)

    def corners(self) -> list[TrialConfig]:
        configs = [TrialConfig.from_dict(entry.config) for entry in self.queue.values() if entry.config]
        return list(dict.fromkeys(replace(config, seed=0) for config in configs))

    @property
    def _search_words(self) -> str:
        """The search, as a command that reads it takes it."""
        return " ".join([str(self.search), *own_code(self.searched)])

    def _heading(self) -> str:
        record = Record(self.folder)
        states = ", ".join(f"{count} {state}" for state, count in count_states(record).items())
        return f"{self.folder}: {progress(record)} ({states or 'none begun'})"


class Repeat(Again):
    """What are the best configs worth, and is the first really the best?"""

    kind = paths.REPEAT
    adds_trials = "--seeds or --top with a larger number adds to them"

    def extend(self, queue: Queue, trials: int) -> list[str]:
        before = _trials(queue)
        notes = super().extend(queue, trials)
        if new := _trials(queue) - before:
            names = f"trial{'s' if len(new) > 1 else ''} {', '.join(map(str, sorted(new)))}"
            notes.append(f"New among the best {len(self.trials)}: {names}. What was asked for before stays.")
        if len(queue) > self.settings.trials:
            notes.append("More configs or seeds than these were asked for before; what there is of them stays.")
        return notes

    def write_results(self, data: "Dataset") -> None:
        write_tables(Record(self.folder))

    def summary(self) -> str:
        found = repeated.read(Record(self.search))
        lines = [self._heading(), *(repeated.sentences(found) if found else ())]
        lines.append(f"`python -m analysis.report {self._search_words}` takes this into its report.")
        return "\n".join(lines)


class Refit(Again):
    """The best config trained on train + validation; the weights after its last epoch are kept, for none is chosen."""

    kind = paths.REFIT
    adds_trials = "--seeds with a larger number adds to them"

    def __init__(self, search: Path, seeds: int, data: str | None) -> None:
        super().__init__(search, 1, seeds, data, metric=LAST)
        self.parent = Parent(self.searched.id, self.trials[0].number)

    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        note = "Trained on train and validation together: what is measured of validation here says nothing."
        return self.queue, [note]

    def load(self) -> "Dataset":
        return joined(super().load())

    def write_results(self, data: "Dataset") -> None:
        """Nothing: there is no number among them, and the search's own predictions use the weights."""

    def summary(self) -> str:
        trial = self.trials[0].number
        use = f"`python -m analysis.predict {self._search_words} --with refit` predicts with them."
        return f"{self._heading()}\ntrial {trial} on train + validation, at its last epoch each: {use}"


def best_trials(record: Record, count: int) -> list[TrialRecord]:
    """The best COMPLETE trials with different configs, the best first; fewer where there are no more.

    Raises:
      SweepError: there is none.
    """
    way_out = f"go on with it, `{search_command(record)}`"
    try:
        ranked = record.ranked
    except SweepError as error:
        raise SweepError(f"{error}; {way_out}") from None
    found: dict[TrialConfig, TrialRecord] = {}
    for trial in ranked:
        if trial.state == State.COMPLETE:
            try:
                found.setdefault(replace(TrialConfig.from_dict(trial.config), seed=0), trial)
            except ConfigError as error:
                raise SweepError(f"{record.folder}: trial {trial.number} is not of this version: {error}") from None
    if not found:
        raise SweepError(f"{record.folder}: must have a COMPLETE trial, got none; {way_out}")
    return list(found.values())[:count]


def joined(data: "Dataset") -> "Dataset":
    """The same with train + validation as its train split; the validation split stays, for the loop measures on one."""
    first, second = data.train, data.valid
    train = replace(
        first,
        ids=first.ids + second.ids,
        images=joined_pixels(first.images, second.images),
        labels=np.concatenate([first.truth, second.truth]),
        digests=first.digests + second.digests,
    )
    return replace(data, train=train)


def _trials(queue: Queue) -> set[int]:
    """Of the search, by their numbers."""
    return {entry.trial for entry in queue.values() if entry.trial is not None}
