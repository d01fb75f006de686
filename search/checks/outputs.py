"""Checks what a sweep is run on and what it made: the tables of its data, and its results."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet

from analysis.outputs.best import read_best
from analysis.outputs.predict import check_predictions
from analysis.record import Record, TrialRecord
from analysis.report.contents import plain
from datasets.fingerprint import parsed_table
from search.checks.backup import Backup, move_away
from search.checks.findings import Finding, MissingError, damaged, do_without, hold, naming
from search.runtime.settings import read_sweep
from storage import paths
from storage.errors import SweepError
from storage.files import DamagedError, check_regular, read_array, save_array
from storage.states import State
from storage.sweep_file import SEARCH, SweepFile
from storage.text import counted

OF_TRIALS = ["number", "state", "reason", "value", "epochs"]  # the columns that are compared
OF_EPOCHS = ["number", "epoch", "valid_loss", "valid_accuracy"]
NO_RESULTS = -1  # as `results_of` in sweep.json: no number of trials, so the next start makes them
MOST_CSV_BYTES = 256 << 20


@dataclass
class Outputs:
    """The files in a sweep's own folder.

    Attributes:
      lost_before: files that earlier repairs had to do without.
      labels: of the validation images; None where they cannot be had.
      test_ids: None where there are none, or they cannot be had.
    """

    folder: Path
    file: SweepFile
    lost_before: set[Path]
    findings: list[Finding] = field(default_factory=list)
    labels: np.ndarray | None = None
    test_ids: tuple[str, ...] | None = None

    def check_data(self) -> None:
        """`data.csv` and `valid_labels.npy` against the classes and each other, `valid_images.npy` by its shape."""
        self._check_labels()
        path = self.folder / paths.VALID_IMAGES
        try:
            with naming(path):
                images = read_array(path)
                count = len(images) if self.labels is None else len(self.labels)
                is_such = images.dtype == np.uint8 and images.ndim == 4 and (len(images), images.shape[3]) == (count, 3)
                rule = f"must be {counted(count, 'image')} of uint8"
                hold(path, is_such, rule, f"{images.dtype} {images.shape}")
        except MissingError:
            return  # an older sweep has none: its report does without pictures
        except DamagedError as error:
            way_out = "moved away, and made anew by the next start that trains"
            self.findings.append(damaged(error, way_out, move_away(path)))

    def _check_labels(self) -> None:
        table, path = self._data_table(), self.folder / paths.VALID_LABELS
        expected = None if table is None else np.array([self.file.classes.index(label) for label in table], np.int64)
        try:
            with naming(path):
                labels = read_array(path)
                is_row = labels.ndim == 1 and labels.dtype.kind in "iu" and len(labels) > 0
                hold(path, is_row, "must be a row of whole numbers", f"{labels.dtype} {labels.shape}")
                are_classes = labels.min() >= 0 and labels.max() < len(self.file.classes)
                hold(path, bool(are_classes), f"there are {len(self.file.classes)} classes", labels.max())
                if expected is not None and not np.array_equal(labels, expected):
                    raise DamagedError(path, "must be the labels of the validation images in data.csv")
                self.labels = labels
        except DamagedError as error:
            self.labels = expected
            if expected is None:
                way_out = "restore it, or data.csv, from a backup: nothing can be reported without it"
                self.findings.append(damaged(error, way_out))
            else:
                self.findings.append(damaged(error, "written anew from data.csv", self._write_labels))

    def _data_table(self) -> list[str] | None:
        """The labels of the validation images; None where the table cannot be trusted."""
        path = self.folder / paths.DATA_TABLE
        try:
            with naming(path):
                check_regular(path)
                splits = parsed_table(path.read_bytes())
                labels = [label for label, _ in splits.get("validation", {}).values()]
                seen = {label for split in ("train", "validation") for label, _ in splits.get(split, {}).values()}
                if not labels or not seen <= set(self.file.classes):
                    other = sorted(seen - set(self.file.classes))[:1] or "no validation split"
                    raise DamagedError(path, f"must have the classes of sweep.json, got {other}")
        except DamagedError as error:
            loss = "which image is which, should the data ever change"
            self.findings.append(do_without(error, loss, self.lost_before))
            return None
        self.test_ids = tuple(splits["test"]) if "test" in splits else None
        return labels

    def _write_labels(self, backup: Backup) -> None:
        assert self.labels is not None
        path = self.folder / paths.VALID_LABELS
        backup.take(path)
        save_array(path, self.labels)

    def check_results(self, record: Record) -> None:
        """Tables, report, `best/` and predictions, which must be of the trials that the ledger has.

        A repeat has the tables alone, a refit nothing.
        """
        if self.file.kind == paths.REFIT:
            return
        trials, epochs = record.trials_table(), record.epochs_table()
        ended = set(trials["number"][trials["state"] != State.RUNNING])
        of_trials = _rows(trials, OF_TRIALS, ended)
        of_epochs = _rows(epochs, OF_EPOCHS, ended) if len(epochs) else []
        most = sum(trial.config.get("epochs", 0) for trial in record.trials)  # rows of any table
        best = record.best

        def csv_table(path: Path) -> None:
            _same(_rows(_read_csv(path), OF_TRIALS, ended), of_trials)

        def parquet_table(path: Path) -> None:
            _same(_rows(_read_parquet(path, most), OF_TRIALS, ended), of_trials)

        def epochs_table(path: Path) -> None:
            _same(_rows(_read_parquet(path, most), OF_EPOCHS, ended) if of_epochs else [], of_epochs)

        def predictions(path: Path) -> None:
            check_predictions(path.read_bytes(), self.test_ids or (), None, tuple(record.classes))

        checks: dict[str, Callable[[Path], None]] = {
            paths.TRIALS_CSV: csv_table,
            paths.TRIALS_PARQUET: parquet_table,
            paths.EPOCHS_PARQUET: epochs_table,
        }
        if self.file.kind == SEARCH:
            checks |= {paths.REPORT_PAGE: check_regular, paths.REPORT_TEXT: check_regular}
            if best is not None and self.test_ids is not None:
                checks[paths.PREDICTIONS] = predictions
        for name, check in checks.items():
            path = self.folder / name
            try:
                with naming(path):
                    check_regular(path)
                    check(path)
            except DamagedError as error:
                self._note_result(error)
            except MemoryError:
                raise
            except Exception as error:  # parsers have more ways than can be listed to say that a file is none of theirs
                self._note_result(DamagedError(path, str(error)))
        if self.file.kind == SEARCH and best is not None:
            self._check_best(best)

    def _check_best(self, trial: TrialRecord) -> None:
        folder = self.folder / paths.BEST
        try:
            best = read_best(self.folder)
        except DamagedError as error:
            self._note_result(error)
            return
        except SweepError as error:
            self._note_result(DamagedError(folder, str(error)))
            return
        if best.trial != trial.number:
            found = f"must be of the best trial, {trial.number}, and is of trial {best.trial}"
            self._note_result(DamagedError(folder, found))
        elif trial.weights is not None and best.weights != trial.weights.read_bytes():
            self._note_result(DamagedError(folder, f"has other weights than trial {trial.number}"))

    def _note_result(self, error: DamagedError) -> None:
        way_out = "the next start of the sweep's command writes all results anew"
        self.findings.append(damaged(error, way_out, lambda backup: forget_results(self.folder, backup)))


def forget_results(folder: Path, backup: Backup) -> None:
    """The sweep's next start finds none, and makes them."""
    file = read_sweep(folder)
    if file.results_of != NO_RESULTS:
        backup.copy(folder / paths.SWEEP_FILE)
        file.results_of = NO_RESULTS
        file.write(folder)


def _read_csv(path: Path) -> pd.DataFrame:
    if path.stat().st_size > MOST_CSV_BYTES:
        raise DamagedError(path, f"must have at most {MOST_CSV_BYTES >> 20} MiB")
    return pd.read_csv(path, keep_default_na=False, na_values={"value": [""]})


def _read_parquet(path: Path, most_rows: int) -> pd.DataFrame:
    rows = pyarrow.parquet.read_metadata(path).num_rows
    if rows > most_rows:  # a small file can hold any number of them
        raise DamagedError(path, f"must have at most {counted(most_rows, 'row')}, got {rows}")
    return pd.read_parquet(path)


def _rows(table: pd.DataFrame, columns: list[str], numbers: set[int]) -> list[tuple[Any, ...]]:
    """Of these trials; what is missing is None."""
    chosen = table[table["number"].isin(numbers)][columns]
    return [tuple(None if pd.isna(value) else value for value in row) for row in chosen.itertuples(index=False)]


def _same(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> None:
    """Raises:
    ValueError: they differ; shows the first difference.
    """
    for got, wanted in zip_longest(found, expected):
        if got != wanted:
            raise ValueError(f"must have the row {_text(wanted)}, got {_text(got)}")


def _text(row: tuple[Any, ...] | None) -> str:
    return "none" if row is None else plain(", ".join(map(str, row)))
