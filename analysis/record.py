"""Reads a sweep: its settings, its trials from the ledger, and the files that were kept in its folder.

Reports, estimates and exports read a sweep through `Record` alone.
"""

import csv
from functools import cached_property
from pathlib import Path

import numpy as np
import optuna

from sweep.analysis.estimates import ensembles
from sweep.analysis.estimates.ensembles.contract import Ensembles
from sweep.analysis.kept_files import check_kept
from sweep.analysis.ledger import read_study
from sweep.analysis.trial_record import TrialRecord, trial_record
from sweep.datasets import decoders, listing_rules
from sweep.datasets.decoders.recipe import STRETCH, Decoding
from sweep.datasets.fingerprint import judging, parsed_table
from sweep.datasets.near_duplicates.summary import NearDuplicates
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError, check_regular, read_array, read_json
from sweep.storage.schema import parsed
from sweep.storage.states import State
from sweep.storage.sweep_file import Settings, SweepFile
from sweep.trainable.metrics import LAST, SHOWN, is_name, named
from sweep.trainable.metrics.contract import Metric
from sweep.trainable.metrics.history import read_history


class Record:
    """A running, interrupted or finished sweep, to be read only.

    Most properties read from the disk or from the ledger when they are first used, and keep the result.

    Attributes:
      folder: the folder of the sweep.
      file: the content of its `sweep.json`.
    """

    def __init__(self, folder: Path) -> None:
        """Reads `sweep.json`.

        Raises:
          SweepError: the folder holds no sweep.
          UserError: a file of the user's that a command named is not the one that the sweep began with.
          DamagedError: `sweep.json` is damaged.
        """
        self.folder, self.file = folder, SweepFile.read(folder)
        if not is_name(self.settings.metric):
            rule = f"metric must be one of {', '.join((*SHOWN, LAST))}, got {self.settings.metric}"
            raise DamagedError(folder / paths.SWEEP_FILE, rule, "restore it from a backup")

    @property
    def settings(self) -> Settings:
        """The settings that the user asked for when the sweep began."""
        return self.file.settings

    @cached_property
    def study(self) -> optuna.Study:
        """The Optuna study that is the ledger, to be read only.

        Raises:
          SweepError: the ledger is not begun yet.
          JournalError: the journal is damaged.
          OSError: the database cannot be reached.
        """
        return read_study(self.folder, self.file)

    @cached_property
    def trials(self) -> list[TrialRecord]:
        """All trials of the ledger, in the order of their numbers."""
        is_in_folds = self.settings.folds is not None
        return [trial_record(trial, self.folder, is_in_folds) for trial in self.study.get_trials(deepcopy=False)]

    @cached_property
    def metric(self) -> Metric:
        """The metric of the sweep.

        Raises:
          UserError: the metric is in a file of the user's that no command named.
        """
        return named(self.settings.metric).for_classes(self.classes)

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of their indices."""
        return self.file.classes

    @property
    def listing(self) -> int:
        """The number of the rules that say which files of the data count and how they are named.

        Raises:
          SweepError: a newer version began the sweep.
        """
        return self._check_number("listing rules", self.file.defaults.listing, listing_rules.NEWEST)

    @property
    def decoding(self) -> Decoding:
        """The recipe by which the images of the data are decoded.

        Raises:
          SweepError: a newer version began the sweep.
        """
        number = self._check_number("decoding recipes", self.file.defaults.decoder, decoders.NEWEST)
        return Decoding(number, self.settings.data_options.fit or STRETCH)

    @property
    def ensembles(self) -> Ensembles:
        """The way in which ensembles of the sweep's trials are made.

        Raises:
          SweepError: a newer version began the sweep.
        """
        return ensembles.ensembles(self._check_number("ensembles", self.file.defaults.ensemble, ensembles.NEWEST))

    def _check_number(self, kind: str, number: int, newest: int) -> int:
        if not 1 <= number <= newest:
            raise SweepError(
                f"{self.folder / 'sweep.json'}: this version knows the {kind} 1 to {newest}, got {number!r}; "
                "use the version that began the sweep"
            )
        return number

    @property
    def epochs(self) -> int:
        """The number of epochs that all trials together were trained, as they reported them."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def trials_wanted(self) -> int:
        """The number of trials that the sweep shall have, or may have if its budget of epochs is not spent yet."""
        return self.settings.trials_wanted(len(self.trials), self.epochs)

    @property
    def ranked(self) -> list[TrialRecord]:
        """The ended trials that have a value: first COMPLETE, then PRUNED ones, each from best to worst.

        Of two with the same value the lower number comes first.
        """
        sign = -self.metric.sign
        ended = [trial for trial in self.trials if trial.value is not None and trial.state != State.RUNNING]
        return sorted(
            ended, key=lambda trial: (trial.state != State.COMPLETE, sign * (trial.value or 0.0), trial.number)
        )

    @property
    def best(self) -> TrialRecord | None:
        """The best COMPLETE trial; None if no trial is COMPLETE."""
        ranked = self.ranked
        return ranked[0] if ranked and ranked[0].state == State.COMPLETE else None

    @cached_property
    def valid_labels(self) -> np.ndarray:
        """(N,) class indices of the validation images; with folds, of all images that are divided into folds."""
        return read_array(self.folder / paths.VALID_LABELS)

    @cached_property
    def folds(self) -> np.ndarray | None:
        """(N,) uint8, from 0: the fold of each image by which trials are judged; None in a sweep without folds."""
        return read_array(self.folder / paths.FOLDS) if self.settings.folds else None

    @cached_property
    def valid_ids(self) -> tuple[str, ...] | None:
        """The N names of the validation images; None where data.csv is missing, damaged or about other images."""
        try:
            path = self.folder / paths.DATA_TABLE
            check_regular(path)
            splits = parsed_table(path.read_bytes())
        except (OSError, ValueError, csv.Error):
            return None
        ids = tuple(judging(splits))
        return ids if len(ids) == len(self.valid_labels) else None

    @cached_property
    def valid_images(self) -> np.ndarray | None:
        """(N, h, w, 3) uint8: small copies of the validation images; None where they were not kept."""
        try:
            images = read_array(self.folder / paths.VALID_IMAGES)
        except (FileNotFoundError, DamagedError):
            return None
        shape = (len(self.valid_labels), *images.shape[1:3], 3)
        return images if (images.dtype, images.shape) == (np.uint8, shape) else None

    @cached_property
    def near_duplicates(self) -> NearDuplicates | None:
        """The near duplicates across the splits of the data; None where none were found or kept."""
        try:
            summary: NearDuplicates = parsed(NearDuplicates, read_json(self.folder / paths.NEAR_DUPLICATES))
        except (FileNotFoundError, DamagedError, ValueError):
            return None
        return summary

    @cached_property
    def damaged(self) -> dict[int, str]:
        """The damage of the kept files, in words, by the numbers of the trials that have damaged files."""
        messages = {}
        for trial in self.trials:
            try:
                check_kept(trial, self.metric, len(self.valid_labels), len(self.classes))
            except DamagedError as error:
                messages[trial.number] = str(error)
        return messages

    def at_best(self, trial: TrialRecord) -> list[dict[str, float]]:
        """Returns the metrics of the epoch at which each net of a trial is the best.

        A trial has one net, or with folds one net for each fold. The list is empty if the trial has no value or no
        history.
        """
        if trial.value is None:
            return []
        values = [self.metric.of_epochs(read_history([epoch | {"fold": None} for epoch in net])) for net in trial.nets]
        return [net[self.metric.best_epoch(net_values) - 1] for net, net_values in zip(trial.nets, values, strict=True)]
