"""Checks what a sweep is run on: the table of its data, the labels and the pictures of its validation images."""

from functools import partial
from pathlib import Path

import numpy as np

from datasets.fingerprint import parsed_table
from search.checks.backup import move_away
from search.checks.findings import Inspection, hold
from storage import paths
from storage.files import DamagedError, check_regular, read_array, save_array
from storage.text import counted


def check_data(inspection: Inspection, classes: list[str]) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """Checks `data.csv` and `valid_labels.npy` against the classes and each other, `valid_images.npy` by its shape.

    Returns:
      the labels of the validation images, None where they cannot be had; the ids of the test images, None where there
      are none, or they cannot be had.
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
    path = folder / paths.VALID_IMAGES
    way_out = "moved away, and made anew by the next start that trains"
    anew = partial(inspection.note_damage, way_out=way_out, mend=move_away(path))
    # An older sweep has none: its report does without pictures.
    inspection.read(path, lambda path: _check_images(path, labels), anew, is_needed=False)
    return labels, test_ids


def _read_table(path: Path, classes: list[str]) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Returns the labels of the validation images and the ids of the test images, None where there are none."""
    check_regular(path)
    splits = parsed_table(path.read_bytes())
    labels = [label for label, _ in splits.get("validation", {}).values()]
    seen = {label for split in ("train", "validation") for label, _ in splits.get(split, {}).values()}
    if not labels or not seen <= set(classes):
        other = sorted(seen - set(classes))[:1] or "no validation split"
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


def _check_images(path: Path, labels: np.ndarray | None) -> None:
    images = read_array(path)
    count = len(images) if labels is None else len(labels)
    is_such = images.dtype == np.uint8 and images.ndim == 4 and (len(images), images.shape[3]) == (count, 3)
    hold(path, is_such, f"must be {counted(count, 'image')} of uint8", f"{images.dtype} {images.shape}")
