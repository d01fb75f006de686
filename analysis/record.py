"""The one reader of a sweep: its settings, its trials out of the ledger, and what was kept of each."""

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
from sweep.datasets.near_duplicates.found import NearDuplicates
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
    """A running, interrupted or finished sweep.

    Attributes:
      folder: the sweep's.
      file: what `sweep.json` says.
    """

    def __init__(self, folder: Path) -> None:
        """Raises:
        SweepError: the folder holds no sweep.
        UserError: a file of the user's that a command named is not the one that the sweep began with.
        DamagedError: `sweep.json` is damaged. The ledger is read when it is first asked for.
        """
        self.folder, self.file = folder, SweepFile.read(folder)
        if not is_name(self.settings.metric):
            rule = f"metric must be one of {', '.join((*SHOWN, LAST))}, got {self.settings.metric}"
            raise DamagedError(folder / paths.SWEEP_FILE, rule, "restore it from a backup")

    @property
    def settings(self) -> Settings:
        """What the user asked for."""
        return self.file.settings

    @cached_property
    def study(self) -> optuna.Study:
        """The ledger's study, only to be read.

        Raises:
          SweepError: it is not begun yet.
          JournalError: the journal is damaged.
          OSError: the database cannot be reached.
        """
        return read_study(self.folder, self.file)

    @cached_property
    def trials(self) -> list[TrialRecord]:
        is_in_folds = self.settings.folds is not None
        return [trial_record(trial, self.folder, is_in_folds) for trial in self.study.get_trials(deepcopy=False)]

    @cached_property
    def metric(self) -> Metric:
        """Raises:
        UserError: it is of a file of the user's that no command named.
        """
        return named(self.settings.metric).for_classes(self.classes)

    @property
    def classes(self) -> list[str]:
        return self.file.classes

    @property
    def listing(self) -> int:
        """The number of the rules by which the files of the data count and are named.

        Raises:
          SweepError: a newer version began the sweep.
        """
        return self._known("listing rules", self.file.defaults.listing, listing_rules.NEWEST)

    @property
    def decoding(self) -> Decoding:
        """How the images of the data are decoded.

        Raises:
          SweepError: a newer version began the sweep.
        """
        number = self._known("decoding recipes", self.file.defaults.decoder, decoders.NEWEST)
        return Decoding(number, self.settings.data_options.fit or STRETCH)

    @property
    def ensembles(self) -> Ensembles:
        """How ensembles of its trials are made.

        Raises:
          SweepError: a newer version began the sweep.
        """
        return ensembles.ensembles(self._known("ensembles", self.file.defaults.ensemble, ensembles.NEWEST))

    def _known(self, what: str, number: int, newest: int) -> int:
        if not 1 <= number <= newest:
            raise SweepError(
                f"{self.folder / 'sweep.json'}: this version knows the {what} 1 to {newest}, got {number!r}; "
                "use the version that began the sweep"
            )
        return number

    @property
    def epochs(self) -> int:
        """How many were trained, of all trials together, as they were reported."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def wanted(self) -> int:
        """How many trials there are to be; of a budget of epochs that is not spent, at most so many."""
        return self.settings.wanted(len(self.trials), self.epochs)

    @property
    def ranked(self) -> list[TrialRecord]:
        """Trials with a value, COMPLETE before PRUNED, each the best first; the lower number wins a tie."""
        sign = -self.metric.sign
        ended = [trial for trial in self.trials if trial.value is not None and trial.state != State.RUNNING]
        return sorted(
            ended, key=lambda trial: (trial.state != State.COMPLETE, sign * (trial.value or 0.0), trial.number)
        )

    @property
    def best(self) -> TrialRecord | None:
        """The best COMPLETE trial."""
        ranked = self.ranked
        return ranked[0] if ranked and ranked[0].state == State.COMPLETE else None

    @cached_property
    def valid_labels(self) -> np.ndarray:
        """(N,) class indices of the validation split; with folds of all images that are divided."""
        return read_array(self.folder / paths.VALID_LABELS)

    @cached_property
    def folds(self) -> np.ndarray | None:
        """(N,) uint8 from 0: the fold of each image that trials are judged by; None of a sweep without folds."""
        return read_array(self.folder / paths.FOLDS) if self.settings.folds else None

    @cached_property
    def valid_ids(self) -> tuple[str, ...] | None:
        """Of the validation images, N names; None where data.csv is not there or not of these images."""
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
        """(N, h, w, 3) uint8: the validation images, made small; None where they were not kept."""
        try:
            images = read_array(self.folder / paths.VALID_IMAGES)
        except (FileNotFoundError, DamagedError):
            return None
        shape = (len(self.valid_labels), *images.shape[1:3], 3)
        return images if (images.dtype, images.shape) == (np.uint8, shape) else None

    @cached_property
    def near_duplicates(self) -> NearDuplicates | None:
        """The near duplicates across the splits of its data; None where none were found or kept."""
        try:
            found: NearDuplicates = parsed(NearDuplicates, read_json(self.folder / paths.NEAR_DUPLICATES))
        except (FileNotFoundError, DamagedError, ValueError):
            return None
        return found

    @cached_property
    def damaged(self) -> dict[int, str]:
        """What is wrong with the kept files of a trial, by its number."""
        found = {}
        for trial in self.trials:
            try:
                check_kept(trial, self.metric, len(self.valid_labels), len(self.classes))
            except DamagedError as error:
                found[trial.number] = str(error)
        return found

    def at_best(self, trial: TrialRecord) -> list[dict[str, float]]:
        """Returns the epoch of each net of a trial that goes with its value; none without a value or a history."""
        if trial.value is None:
            return []
        values = [self.metric.of_epochs(read_history([epoch | {"fold": None} for epoch in net])) for net in trial.nets]
        return [net[self.metric.best_epoch(of_net) - 1] for net, of_net in zip(trial.nets, values, strict=True)]
