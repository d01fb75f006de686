"""The one reader of a sweep: its settings, its trials out of the ledger, and what was kept of each."""

import csv
import math
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from analysis.estimates import ensembles
from analysis.estimates.ensembles.contract import Ensembles
from datasets import decoders, listing_rules
from datasets.decoders.recipe import STRETCH, Decoding
from datasets.fingerprint import judging, parsed_table
from datasets.near_duplicates.found import NearDuplicates
from storage import paths
from storage.errors import SweepError
from storage.files import DamagedError, check_regular, read_array, read_json
from storage.journal import Journal, JournalError
from storage.schema import parsed
from storage.states import State
from storage.sweep_file import Settings, SweepFile, Values
from storage.text import counted
from trainable.config import MULTIPLE
from trainable.metrics import LAST, SHOWN, is_name, named
from trainable.metrics.contract import Metric
from trainable.metrics.history import class_dtype, read_history
from trainable.models import kind_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the ledger has it.

    Attributes:
      reason: why a trial was PRUNED or FAILed; empty otherwise.
      value: the best of the metric over the counted epochs; None before the first epoch and for a FAIL. With folds the
        mean over those that count, each at its best epoch.
      best_epoch: the epoch of `value`; 0 where there is none, and with folds, of which each has its own.
      epochs: how many epochs count (a pruned trial's up to its rung), with folds those of all its nets.
      folds: how many folds count; 0 of a sweep without.
      baseline: the name of the published run or of the reference config that this trial is; empty otherwise.
      node: of a cluster, where it ran last; empty where it is not known.
      ended_at: by the clock of the machine that ran the driver; None while it runs.
      config: the fields of its `TrialConfig` that are set; of a FAIL for which the space had no config its seed alone.
      params: what the search chose, by the names of the space; where that is a multiple of a reference, the field
        itself with its value.
      ranges: what each was chosen from, in the same units.
    """

    number: int
    state: State
    reason: str
    message: str
    value: float | None
    best_epoch: int
    epochs: int
    attempts: int
    baseline: str
    node: str
    ended_at: datetime | None
    config: Values
    params: Values
    ranges: dict[str, BaseDistribution]
    folder: Path
    folds: int = 0

    @property
    def kind(self) -> str:
        """Of model, `trainable.models.kind_of`; empty without a config."""
        return kind_of(self.config)

    @property
    def is_head(self) -> bool:
        """Whether it is a head on the features of a net."""
        return "backbone" in self.config

    @property
    def history(self) -> list[dict[str, float]]:
        """The counted epochs, `trainable.metrics.history.EpochMetrics` as objects; empty where nothing was kept.

        With folds those of one fold after the other. What lies in the folder of a RUNNING trial was written for an end
        that never was.
        """
        path = self.folder / paths.HISTORY
        if self.state == State.RUNNING or not path.exists():
            return []
        epochs = read_json(path)
        try:
            history = read_history(epochs)
        except ValueError as error:
            raise DamagedError(path, str(error), "`python -m search.check` says what else is damaged") from None
        if len(history) < self.epochs:
            raise DamagedError(
                path, f"has {counted(len(history), 'epoch')}, the ledger {self.epochs}", "see `python -m search.check`"
            )
        return [metrics.to_dict() for metrics in history[: self.epochs]]

    @property
    def reached(self) -> str:
        """What its value is of, in words: `after epoch 12`, or with folds `over 5 folds`."""
        return f"over {counted(self.folds, 'fold')}" if self.folds else f"after epoch {self.best_epoch}"

    @property
    def nets(self) -> list[list[dict[str, float]]]:
        """The counted epochs of each net: of the only one, or of that of one fold after the other."""
        return [list(epochs) for _, epochs in groupby(self.history, lambda epoch: epoch.get("fold"))]

    @property
    def valid_classes(self) -> np.ndarray | None:
        """(epochs, N), uint8 or int16: the predicted class of each validation image after each epoch.

        With folds of a COMPLETE trial alone, and by the net that was trained without the image, after its epochs.
        """
        return _array(self.folder / paths.VALID_CLASSES)

    @property
    def valid_logits(self) -> np.ndarray | None:
        """(N, classes) float32 at the best epoch; with folds by the net that was trained without the image."""
        return _array(self.folder / paths.VALID_LOGITS)

    @property
    def kept_logits(self) -> dict[int, np.ndarray]:
        """(N, classes) by epoch, the earliest first: the best one as in `valid_logits`, others as float16 logits.

        Which others there are says `trainable.metrics.kept`: none where the metric needs no probabilities.
        """
        files = paths.epoch_logits(self.folder)
        found = {epoch: read_array(path) for epoch, path in files.items() if epoch <= self.epochs}
        best = self.valid_logits
        return dict(sorted((found | ({} if best is None else {self.best_epoch: best})).items()))

    @property
    def valid_logits_tta(self) -> np.ndarray | None:
        """(N, classes) float32: log of the probabilities at the best epoch, averaged as in `analysis.estimates.views`.

        Made at a sweep's end, for trials whose weights are kept and that trained with some.
        """
        return _array(self.folder / paths.AVERAGED_LOGITS)

    @property
    def weights(self) -> Path | None:
        """The safetensors file of the best epoch, kept for the best trials."""
        path = self.folder / paths.WEIGHTS
        return path if path.exists() else None


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
        return optuna.load_study(storage=self._storage(), study_name=self.file.id)

    def _storage(self) -> optuna.storages.BaseStorage:
        name = self.file.id
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of each study that is made, in memory too
        if url := self.settings.ledger:
            from storage.postgres import NoTablesError, open_storage

            copy = optuna.storages.InMemoryStorage()
            try:
                database = open_storage(url, lock=None)
            except NoTablesError as error:
                raise SweepError(f"{error} of {self.folder}; restore the database") from None
            try:
                if name not in optuna.get_all_study_names(database):
                    raise SweepError(f"{url}: holds no ledger of {self.folder}; restore the database")
                optuna.copy_study(from_study_name=name, from_storage=database, to_storage=copy)
            finally:
                database.engine.dispose()  # a reader keeps no connection
            return copy
        path = self.folder / paths.JOURNAL
        if not path.exists() or path.stat().st_size == 0:
            raise SweepError(f"{self.folder}: has no trials yet")
        try:
            storage = optuna.storages.JournalStorage(Journal(path))
            names = optuna.get_all_study_names(storage)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise JournalError(path, f"cannot be replayed ({error!r})", "restore it from a backup") from None
        if not names:  # killed in its first record
            raise SweepError(f"{self.folder}: has no trials yet")
        if name not in names:
            raise JournalError(path, "is the ledger of another sweep", "restore this one's")
        return storage

    @cached_property
    def trials(self) -> list[TrialRecord]:
        return [self._trial(trial) for trial in self.study.get_trials(deepcopy=False)]

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
                self._check_kept(trial)
            except DamagedError as error:
                found[trial.number] = str(error)
        return found

    def _check_kept(self, trial: TrialRecord) -> None:
        """Raises:
        DamagedError: a file cannot be read, or has not the shape it must have.
        """
        if trial.state == State.RUNNING:
            return
        if any(self.metric.field not in epoch for epoch in trial.history):  # which itself may raise
            raise DamagedError(trial.folder / paths.HISTORY, f"each epoch must have a {self.metric.field}")
        images, classes = len(self.valid_labels), len(self.classes)
        predicted, logits, averaged = trial.valid_classes, trial.valid_logits, trial.valid_logits_tta
        if predicted is not None and (
            predicted.dtype != class_dtype(classes) or predicted.ndim != 2 or predicted.shape[1] != images
            or len(predicted) < trial.epochs // max(1, trial.folds)
            or predicted.max(initial=0) >= classes or predicted.min(initial=0) < 0
        ):  # fmt: skip
            raise DamagedError(
                trial.folder / paths.VALID_CLASSES, f"must be {counted(images, 'class', 'classes')} each epoch"
            )
        arrays = {trial.folder / paths.VALID_LOGITS: logits, trial.folder / paths.AVERAGED_LOGITS: averaged}
        arrays |= {path: read_array(path) for path in paths.epoch_logits(trial.folder).values()}
        for path, array in arrays.items():
            if array is not None and (array.shape != (images, classes) or not np.isfinite(array).all()):
                raise DamagedError(path, f"must be {images} x {classes} finite numbers")

    def trials_table(self) -> "pd.DataFrame":
        """A row a trial; `valid_accuracy` at its best epoch, `seconds` of all its epochs, `config.*` where set.

        With folds the accuracy is the mean over them, each at its best epoch.
        """
        import pandas as pd  # half a second that drawing a trial and a look at a sweep do not need

        rows = []
        for trial in self.trials:
            history, at_best = trial.history, self.at_best(trial)
            row = {
                "number": trial.number,
                "state": str(trial.state),
                "reason": trial.reason,
                "baseline": trial.baseline,
                "value": trial.value,
                "valid_accuracy": fmean(net["valid_accuracy"] for net in at_best) if at_best else None,
                "best_epoch": trial.best_epoch,
                "epochs": trial.epochs,
                "attempts": trial.attempts,
                "seconds": round(sum(epoch["seconds"] for epoch in history), 3),
            }
            rows.append(row | {f"config.{name}": value for name, value in trial.config.items()})
        return pd.DataFrame(rows)

    def at_best(self, trial: TrialRecord) -> list[dict[str, float]]:
        """Returns the epoch of each net of a trial that goes with its value; none without a value or a history."""
        if trial.value is None:
            return []
        values = [self.metric.of_epochs(read_history([epoch | {"fold": None} for epoch in net])) for net in trial.nets]
        return [net[self.metric.best_epoch(of_net) - 1] for net, of_net in zip(trial.nets, values, strict=True)]

    def epochs_table(self) -> "pd.DataFrame":
        """A row a trial and epoch: `number` and the fields of `trainable.metrics.history.EpochMetrics`."""
        import pandas as pd

        return pd.DataFrame([{"number": trial.number} | epoch for trial in self.trials for epoch in trial.history])

    def _trial(self, trial: FrozenTrial) -> TrialRecord:
        values = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
        attributes = trial.user_attrs
        are_finite = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
        for what, is_so in (
            ("has a value that is no finite number", not are_finite),
            ("waits, and no driver writes that", trial.state == TrialState.WAITING),
            ("has no config", not isinstance(attributes.get("config"), dict)),
        ):
            if is_so:
                way_out = f"see `python -m search.check {self.folder}`"
                raise DamagedError(self.folder, f"trial {trial.number} {what}", way_out)
        folds = self.settings.folds
        value = values[-1] if values and trial.state != TrialState.FAIL else None
        # Written before the end that they are of: a driver killed in between leaves them with a trial that goes on.
        has_reason = trial.state in (TrialState.PRUNED, TrialState.FAIL)
        return TrialRecord(
            number=trial.number,
            state=State(trial.state.name),
            reason=attributes.get("reason", "") if has_reason else "",
            message=attributes.get("message", "") if has_reason else "",
            value=value,
            best_epoch=1 + values.index(value) if value is not None and not folds else 0,
            epochs=len(values) * (attributes["config"].get("epochs", 0) if folds else 1),
            attempts=attributes.get("attempt", 0),
            baseline=attributes.get("baseline", ""),
            node=str(attributes.get("node", "")),
            ended_at=trial.datetime_complete,
            config=attributes["config"],
            params={shown_name(name): _shown(trial, name)[0] for name in trial.params},
            ranges={shown_name(name): _shown(trial, name)[1] for name in trial.params},
            folder=paths.trial_folder(self.folder, trial.number),
            folds=len(values) if folds else 0,
        )


def shown_name(parameter: str) -> str:
    """Returns the name under which people see a parameter of the search."""
    return parameter.removesuffix(MULTIPLE)


def _shown(trial: FrozenTrial, parameter: str) -> tuple[Any, BaseDistribution]:
    """Returns a parameter's value and its range as people see them: those of the field itself for a multiple of it."""
    value, distribution = trial.params[parameter], trial.distributions[parameter]
    real = trial.user_attrs["config"].get(shown_name(parameter))
    if not parameter.endswith(MULTIPLE) or not isinstance(distribution, FloatDistribution) or real is None:
        return value, distribution
    reference = real / value
    return real, FloatDistribution(reference * distribution.low, reference * distribution.high, log=distribution.log)


def _array(path: Path) -> np.ndarray | None:
    return read_array(path) if path.exists() else None
