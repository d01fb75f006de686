"""Checks the files of the sweep as a whole: the data that it runs on, and its results."""

import csv
import io
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet

from sweep.analysis.outputs.best import read_best
from sweep.analysis.outputs.predict import check_predictions
from sweep.analysis.outputs.tables import epochs_table, trials_table
from sweep.analysis.record import Record
from sweep.analysis.report.contents import plain
from sweep.analysis.trial_record import TrialRecord
from sweep.datasets.fingerprint import judging, parsed_folds, parsed_table
from sweep.datasets.submission.stored import is_kept, read_kept
from sweep.search.checks.backup import Backup, move_away
from sweep.search.checks.findings import Inspection, hold
from sweep.search.runtime.settings import read_sweep
from sweep.storage import paths
from sweep.storage.files import DamagedError, check_regular, read_array, save_array
from sweep.storage.states import State
from sweep.storage.sweep_file import NO_RESULTS, SEARCH
from sweep.storage.text import counted

OF_TRIALS = ["number", "state", "reason", "value", "epochs"]  # the columns of the table of trials that are compared
OF_EPOCHS = ["number", "epoch", "valid_loss", "valid_accuracy"]  # likewise of the table of epochs
MOST_CSV_BYTES = 256 << 20


def check_data(
    inspection: Inspection, classes: list[str]
) -> tuple[np.ndarray | None, tuple[str, ...] | None, np.ndarray | None]:
    """Checks `data.csv`, `valid_labels.npy`, `folds.npy`, `valid_images.npy` and the kept form of submissions.

    The first three are compared with each other and with the classes, the images only by their shape.

    Returns:
      The labels of the validation images, the ids of the test images, and the fold of each validation image; each is
        None if there are none or they are not known.
    """
    folder = inspection.folder
    path = folder / paths.VALID_LABELS
    do_without = partial(inspection.do_without, loss="which image is which, should the data ever change")
    table = inspection.read(folder / paths.DATA_TABLE, lambda path: _read_table(path, classes), do_without)
    expected, test_ids = table or (None, None)
    way_out, mend = "restore it, or data.csv, from a backup: nothing can be reported without it", None
    if expected is not None:
        way_out, mend = "written anew from data.csv", move_away(path, partial(save_array, path, expected))
    restore = partial(inspection.note_damage, way_out=way_out, mend=mend)
    labels = inspection.read(path, lambda path: _read_labels(path, len(classes), expected), restore)
    labels = expected if labels is None else labels
    folds = _check_folds(inspection, None if labels is None else len(labels))
    path = folder / paths.VALID_IMAGES
    way_out = "moved away, and made anew by the next start that trains"
    note = partial(inspection.note_damage, way_out=way_out, mend=move_away(path))
    # An older sweep does not have this file, and its report has no pictures.
    inspection.read(path, lambda path: _check_pictures(path, labels), note, is_needed=False)
    if is_kept(folder) and test_ids is not None:
        ids, path = test_ids, folder / paths.SUBMISSION
        path = path if path.exists() else folder / paths.OLD_SUBMISSION
        way_out = "moved away, and kept anew by the next start that trains"
        note = partial(inspection.note_damage, way_out=way_out, mend=move_away(path))
        inspection.read(path, lambda path: _check_submission_form(path, ids), note)
    return labels, test_ids, folds


def _check_submission_form(path: Path, test_ids: tuple[str, ...]) -> None:
    rows = read_kept(path.parent, test_ids).rows
    hold(path, sorted(rows) == list(range(len(test_ids))), "must have each test image once", counted(len(rows), "row"))


def _read_table(path: Path, classes: list[str]) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Returns the labels of the validation images, and the ids of the test images or None if there are none."""
    check_regular(path)
    splits = parsed_table(path.read_bytes())
    labels = [label for label, _ in judging(splits).values()]
    used_labels = {label for split in ("train", "validation") for label, _ in splits.get(split, {}).values()}
    if not labels or not used_labels <= set(classes):
        other = sorted(used_labels - set(classes))[:1] or "no validation split"
        raise DamagedError(path, f"must have the classes of sweep.json, got {other}")
    test_ids = tuple(splits["test"]) if "test" in splits else None
    return np.array([classes.index(label) for label in labels], np.int64), test_ids


def _read_labels(path: Path, classes: int, expected: np.ndarray | None) -> np.ndarray:
    labels = read_array(path)
    is_row = labels.ndim == 1 and labels.dtype.kind in "iu" and len(labels) > 0
    hold(path, is_row, "must be a row of whole numbers", f"{labels.dtype} {labels.shape}")
    hold(path, bool(labels.min() >= 0 and labels.max() < classes), f"there are {classes} classes", labels.max())
    if expected is not None and not np.array_equal(labels, expected):
        raise DamagedError(path, "must be the labels of the validation images in data.csv")
    return labels


def _check_folds(inspection: Inspection, images: int | None) -> np.ndarray | None:
    """Checks `folds.npy`, which sweeps in folds have, against data.csv; returns the folds that can be trusted.

    Args:
      images: the number of images in all folds together; None if it is not known.
    """
    path, table = inspection.folder / paths.FOLDS, inspection.folder / paths.DATA_TABLE
    try:
        check_regular(table)
        numbers = parsed_folds(table.read_bytes())
    except (OSError, ValueError, csv.Error, DamagedError):  # the check of the table itself reports this
        numbers = None
    expected = None if numbers is None else (np.array(numbers) - 1).astype(np.uint8)

    def check(path: Path) -> np.ndarray:
        folds = read_array(path)
        is_row = folds.dtype == np.uint8 and folds.ndim == 1 and images in (None, len(folds))
        hold(path, is_row, "must be a row of uint8, one an image", f"{folds.dtype} {folds.shape}")
        if expected is not None and not np.array_equal(folds, expected):
            raise DamagedError(path, "must be the folds of the images in data.csv")
        return folds

    way_out, mend = "restore it from a backup: without it the sweep cannot go on", None
    if expected is not None:
        way_out, mend = "written anew from data.csv", move_away(path, partial(save_array, path, expected))
    is_needed = expected is not None
    restore = partial(inspection.note_damage, way_out=way_out, mend=mend)
    folds = inspection.read(path, check, restore, is_needed=is_needed)
    return expected if folds is None else folds


def _check_pictures(path: Path, labels: np.ndarray | None) -> None:
    images = read_array(path)
    count = len(images) if labels is None else len(labels)
    is_valid = images.dtype == np.uint8 and images.ndim == 4 and (len(images), images.shape[3]) == (count, 3)
    hold(path, is_valid, f"must be {counted(count, 'image')} of uint8", f"{images.dtype} {images.shape}")


def check_results(inspection: Inspection, record: Record, test_ids: tuple[str, ...] | None) -> None:
    """Checks that the results are those of the trials in the ledger.

    A repeat has only the tables. The results of a refit are not checked.

    Args:
      test_ids: the ids of the test images; None if there are none or they are not known.
    """
    folder, kind, best = record.folder, record.file.kind, record.best
    if kind == paths.REFIT:
        return
    trials, epochs = trials_table(record), epochs_table(record)
    ended_numbers = set(trials["number"][trials["state"] != State.RUNNING])
    nets = record.settings.folds or 1
    # A table has a row for each trial or for each epoch; a trial without a config has no epochs.
    most_rows = sum(max(1, nets * trial.config.get("epochs", 0)) for trial in record.trials)

    def comparison(table: pd.DataFrame, columns: list[str]) -> Callable[[Path], None]:
        expected = _rows(table, columns, ended_numbers)
        return lambda path: _check_equal(_rows(_read_results(path, most_rows), columns, ended_numbers), expected)

    checks = dict.fromkeys((paths.TRIALS_CSV, paths.TRIALS_PARQUET), comparison(trials, OF_TRIALS))
    checks[paths.EPOCHS_PARQUET] = comparison(epochs, OF_EPOCHS) if len(epochs) else check_regular
    if kind == SEARCH:
        checks |= {paths.REPORT_PAGE: check_regular, paths.REPORT_TEXT: check_regular}
    if kind == SEARCH and best is not None:
        checks[paths.BEST] = lambda path: _check_best(path, best)
        if test_ids is not None:
            checks[paths.PREDICTIONS] = lambda path: _check_predictions(path, test_ids, record.classes)
            if (folder / paths.TEST_PROBABILITIES).exists():  # older results do not have this file
                checks[paths.TEST_PROBABILITIES] = lambda path: _check_probabilities(path, test_ids, record.classes)
    way_out = "the next start of the sweep's command writes all results anew"
    note = partial(inspection.note_damage, way_out=way_out, mend=lambda backup: forget_results(folder, backup))
    for name, check in checks.items():
        inspection.read(folder / name, check, note)


def _check_best(folder: Path, trial: TrialRecord) -> None:
    best = read_best(folder.parent)
    if best.trial != trial.number:
        raise DamagedError(folder, f"must be of the best trial, {trial.number}, and is of trial {best.trial}")
    if trial.weights is not None and best.weights != trial.weights.read_bytes():
        raise DamagedError(folder, f"has other weights than trial {trial.number}")


def _check_predictions(path: Path, test_ids: tuple[str, ...], classes: list[str]) -> None:
    check_regular(path)
    check_predictions(path.read_bytes(), read_kept(path.parent, test_ids), classes)


def _check_probabilities(path: Path, test_ids: tuple[str, ...], classes: list[str]) -> None:
    check_regular(path)
    header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True)
    hold(path, header == ["id", *(f"p({label})" for label in classes)], "must have a column a class", ",".join(header))
    if [row[:1] for row in rows] != [[name] for name in test_ids]:
        raise DamagedError(path, "must have the test images in their order")
    shares = np.array([row[1:] for row in rows], float).reshape(len(rows), len(classes))
    if not np.allclose(shares.sum(axis=1), 1):
        raise DamagedError(path, "must have probabilities that add up to 1")


def forget_results(folder: Path, backup: Backup) -> None:
    """Marks the results as missing, so that the sweep's next start writes them again."""
    file = read_sweep(folder)
    if file.results_of != NO_RESULTS:
        backup.copy(folder / paths.SWEEP_FILE)
        file.results_of = NO_RESULTS
        file.write(folder)


def _read_results(path: Path, most_rows: int) -> pd.DataFrame:
    check_regular(path)
    if path.suffix == ".csv":
        if path.stat().st_size > MOST_CSV_BYTES:
            raise DamagedError(path, f"must have at most {MOST_CSV_BYTES >> 20} MiB")
        return pd.read_csv(path, keep_default_na=False, na_values={"value": [""]})
    rows = pyarrow.parquet.read_metadata(path).num_rows
    if rows > most_rows:  # a small file can claim any number of rows
        raise DamagedError(path, f"must have at most {counted(most_rows, 'row')}, got {rows}")
    return pd.read_parquet(path)


def _rows(table: pd.DataFrame, columns: list[str], numbers: set[int]) -> list[tuple[Any, ...]]:
    """Returns the rows of these trials as tuples, with None for missing values."""
    chosen = table[table["number"].isin(numbers)][columns]
    return [tuple(None if pd.isna(value) else value for value in row) for row in chosen.itertuples(index=False)]


def _check_equal(rows: list[tuple[Any, ...]], expected_rows: list[tuple[Any, ...]]) -> None:
    """Compares two lists of rows.

    Raises:
      ValueError: they differ; the message shows the first difference.
    """
    for row, expected in zip_longest(rows, expected_rows):
        if row != expected:
            raise ValueError(f"must have the row {_text(expected)}, got {_text(row)}")


def _text(row: tuple[Any, ...] | None) -> str:
    return "none" if row is None else plain(", ".join(map(str, row)))
