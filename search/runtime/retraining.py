"""Sweeps that train the best configs of a search again: a repeat under other seeds, and a refit for final predictions.

Each is a sweep of its own, with its own lock and ledger, in a folder inside that of the search. The search is only
read, and may still run. The queue holds every config whole, so that nothing the search does later changes a repeat or a
refit that has begun.
"""

import os
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.analysis.commands import own_code, search_command
from sweep.analysis.estimates import repeated
from sweep.analysis.outputs import out_of_fold
from sweep.analysis.outputs.tables import write_tables
from sweep.analysis.record import Record
from sweep.analysis.report.contents import count_states, progress
from sweep.analysis.trial_record import TrialRecord
from sweep.datasets.folds import folded, undivided
from sweep.search.runtime import data as sweep_data
from sweep.search.runtime.queue import Queue
from sweep.search.runtime.queue import repeated as with_other_seeds
from sweep.search.runtime.settings import read_sweep
from sweep.search.runtime.sweep_kinds import RequestedSweep
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.programs import spelled
from sweep.storage.states import State
from sweep.storage.sweep_file import SEARCH, Parent, Settings, Values
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.metrics import LAST

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset


class Again(RequestedSweep):
    """The base class of repeats and refits, which train the best configs of a search without pruning.

    They use seeds that the search did not use.

    Args:
      search: the folder of the search.
      count: how many of its best COMPLETE trials are trained; trials that differ only in their seed count as one.
      seeds: the number of runs of each config.
      data: where the data lies now; None for where it was last.
      folds: the number of folds, for each of which a net is trained; None for as many as before, else
        `self.usual_folds`.
      changes: settings that differ from those of the search.

    Raises:
      SweepError: the search has no COMPLETE trial, or the folder holds no search.
    """

    space = None

    def __init__(
        self, search: Path, count: int, seeds: int, data: str | None, folds: int | None = None, **changes: Any
    ) -> None:
        file = read_sweep(search)
        if file.kind != SEARCH:
            raise SweepError(f"{search}: is a {file.kind} itself; give the folder of its search, {search.parent}")
        folder = search / self.kind
        earlier_file = read_sweep(folder) if paths.is_sweep(folder) else None
        self.trials = best_trials(Record(search), count)
        earlier_queue = earlier_file.queue if earlier_file else {}
        self.queue, trials = with_other_seeds(earlier_queue, self.trials, seeds, file.settings.seed)
        # The place that was named last, unless the data is no longer there and the search has another place.
        places = [part.settings.data for part in (earlier_file, file) if part]
        last = next((place for place in places if os.path.exists(place)), places[0])
        place = os.path.realpath(data) if data else last
        draws_nothing: Values = {"space": None, "fixed": {}, "baselines": "none", "sampler": "random", "pruner": "none"}
        draws_nothing |= {"budget_epochs": None}
        folds = folds or (earlier_file.settings.folds if earlier_file else self.usual_folds(file.settings))
        options = replace(file.settings.data_options, folds=folds)
        settings = replace(file.settings, data=place, trials=trials, data_options=options, **draws_nothing | changes)
        super().__init__(folder, settings)
        self.search, self.search_file, self.parent = search, file, Parent(file.id)
        self.way_out = f"Move {folder} away, and this command begins anew."
        self.defaults, self.pixels = file.defaults, file.pixels  # others might read the same files differently
        self.weights = file.weights or {}

    @abstractmethod
    def usual_folds(self, settings: Settings) -> int | None:
        """Returns how many folds are used if the command names no number, for a search with these settings."""

    @abstractmethod
    def divided(self, data: "Dataset") -> "Dataset":
        """Returns the images of the search, divided as the nets are trained on them."""

    def load(self) -> "Dataset":
        """Returns the data, divided as the nets are trained on it."""
        return self.divided(self._load_searched())

    def _load_searched(self) -> "Dataset":
        """Returns the data as the search reads it."""
        as_searched = replace(self.settings, data_options=self.search_file.settings.data_options)
        return sweep_data.load(as_searched, self.defaults, self.pixels)

    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        """Returns the queue, and no sentences."""
        return self.queue, []

    def extend(self, queue: Queue, trials: int) -> list[str]:
        """Adds the configs and seeds that the queue lacks; returns no sentences."""
        queue.update(self.queue)
        return []

    def first_load(self) -> "Dataset":
        """Returns the data of the search, divided as the nets are trained on it.

        Raises:
          DataError: the data is not that of the search.
        """
        from sweep.analysis.sweep_data import load_same

        place, file = self.settings.data, self.search_file
        data = load_same(self.search, place, file.settings.data, file.fingerprint, self._load_searched)
        return self.divided(data)

    def corners(self) -> list[TrialConfig]:
        """Returns all configs of the queue, with the seed 0."""
        configs = [TrialConfig.from_dict(entry.config) for entry in self.queue.values() if entry.config]
        return list(dict.fromkeys(replace(config, seed=0) for config in configs))

    @property
    def _search_words(self) -> str:
        """The search as an argument of a command that reads it."""
        return " ".join([str(self.search), *own_code(self.search_file)])

    def _heading(self) -> str:
        record = Record(self.folder)
        states = ", ".join(f"{count} {state}" for state, count in count_states(record).items())
        return f"{self.folder}: {progress(record)} ({states or 'none begun'})"


class Repeat(Again):
    """Trains the best configs under other seeds, to measure how good they are and whether the first is the best."""

    kind = paths.REPEAT
    adds_trials = "--seeds or --top with a larger number adds to them"

    def usual_folds(self, settings: Settings) -> int | None:
        """Returns the number of folds of the search."""
        return settings.folds

    def divided(self, data: "Dataset") -> "Dataset":
        """Returns the data of the search, divided anew if the repeat has another number of folds than the search."""
        folds = self.settings.folds
        if folds == self.search_file.settings.folds:
            return data
        return folded(data, folds, self.settings.seed) if folds else data

    def extend(self, queue: Queue, trials: int) -> list[str]:
        """Adds the configs and seeds that the queue lacks; returns sentences on new configs and on earlier ones."""
        before = _trials(queue)
        notes = super().extend(queue, trials)
        if new := _trials(queue) - before:
            names = f"trial{'s' if len(new) > 1 else ''} {', '.join(map(str, sorted(new)))}"
            notes.append(f"New among the best {len(self.trials)}: {names}. What was asked for before stays.")
        if len(queue) > self.settings.trials:
            notes.append("More configs or seeds than these were asked for before; what there is of them stays.")
        return notes

    def write_results(self, data: "Dataset") -> None:
        """Writes the tables of the repeat."""
        write_tables(Record(self.folder))

    def summary(self) -> str:
        """Returns the state of the repeat, what it found, and the command that reports it."""
        result = repeated.read(Record(self.search))
        lines = [self._heading(), *(repeated.sentences(result) if result else ())]
        lines.append(f"`{spelled('report')} {self._search_words}` takes this into its report.")
        return "\n".join(lines)


class Refit(Again):
    """Trains the best config on training and validation images together, for final predictions.

    The weights after the last epoch are kept, because no validation image is left to choose an epoch by. With folds, a
    net is trained for each fold on all others, and its predictions for the images that it never saw are kept too.
    """

    kind = paths.REFIT
    adds_trials = "--seeds with a larger number adds to them"

    def __init__(self, search: Path, seeds: int, data: str | None, folds: int | None = None) -> None:
        super().__init__(search, 1, seeds, data, folds, metric=LAST)
        self.parent = Parent(self.search_file.id, self.trials[0].number)

    def first_queue(self, data: "Dataset") -> tuple[Queue, list[str]]:
        """Returns the queue, and without folds a sentence that the validation values mean nothing."""
        note = "Trained on train and validation together: what is measured of validation here says nothing."
        return self.queue, [] if self.settings.folds else [note]

    def usual_folds(self, settings: Settings) -> int | None:
        """Returns None: without --folds a refit trains one net on all images."""
        return None

    def divided(self, data: "Dataset") -> "Dataset":
        """Returns the data in folds, or without folds with the validation images added to the training images."""
        if self.settings.folds:
            return folded(data, self.settings.folds, self.settings.seed)
        return joined(undivided(data))

    def write_results(self, data: "Dataset") -> None:
        """Writes the predictions of a refit with folds.

        Each labelled image is predicted by the nets that never saw it, and test images are predicted by all nets.
        Without folds nothing is written, because nothing tells how good the nets are; `analysis.predict` predicts with
        them when asked to.
        """
        record = Record(self.folder)
        if not self.settings.folds or all(trial.state != State.COMPLETE for trial in record.trials):
            return
        from sweep.analysis.outputs import predict, predictor, results  # imported late: they import all of the report
        from sweep.datasets.submission.stored import read_kept

        results.write_averaged(record, data)
        members = out_of_fold.all_seeds(record)
        out_of_fold.write_out_of_fold(record, members)
        if data.test is not None:
            model = predictor.of_refit(record, Record(self.search), members.is_averaged)
            form = read_kept(self.search, data.test.ids)
            predict.write_test_predictions(model, data.test, form, record.folder / paths.PREDICTIONS)

    def summary(self) -> str:
        """Returns the state of the refit, and how to predict with it or where its predictions are."""
        trial, folds = self.trials[0].number, self.settings.folds
        use = f"`{spelled('predict')} {self._search_words} --with refit` predicts with them."
        if not folds:
            return f"{self._heading()}\ntrial {trial} on train + validation, at its last epoch each: {use}"
        lines = [self._heading(), f"trial {trial} in {folds} folds, at the last epoch of each: {use}"]
        record = Record(self.folder)
        if (record.folder / paths.OOF).exists():
            lines += [out_of_fold.sentence(Record(self.search), record), f"out of fold: {record.folder / paths.OOF}"]
        if (record.folder / paths.PREDICTIONS).exists():
            lines.append(f"predictions of the test images: {record.folder / paths.PREDICTIONS}")
        return "\n".join(lines)


def best_trials(record: Record, count: int) -> list[TrialRecord]:
    """Returns the best COMPLETE trials with different configs, the best first; fewer if there are not enough.

    Raises:
      SweepError: there is none.
    """
    way_out = f"go on with it, `{search_command(record)}`"
    try:
        ranked = record.ranked
    except SweepError as error:
        raise SweepError(f"{error}; {way_out}") from None
    trials: dict[TrialConfig, TrialRecord] = {}
    for trial in ranked:
        if trial.state == State.COMPLETE:
            try:
                trials.setdefault(replace(TrialConfig.from_dict(trial.config), seed=0), trial)
            except ConfigError as error:
                raise SweepError(f"{record.folder}: trial {trial.number} is not of this version: {error}") from None
    if not trials:
        raise SweepError(f"{record.folder}: must have a COMPLETE trial, got none; {way_out}")
    return list(trials.values())[:count]


def joined(data: "Dataset") -> "Dataset":
    """Returns the data with the validation images added to the training split.

    The validation split stays as well, because the training loop measures on one.
    """
    if not len(data.valid.truth):  # a search in folds has no validation split
        return replace(data, valid=data.train)
    return replace(data, train=data.train.joined(data.valid))


def _trials(queue: Queue) -> set[int]:
    """Returns the numbers of the search's trials that the queue trains again."""
    return {entry.trial for entry in queue.values() if entry.trial is not None}
