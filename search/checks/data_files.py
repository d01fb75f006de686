"""Checks what a sweep is run on: the table of its data, the labels and the pictures of its validation images."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from datasets.fingerprint import parsed_table
from search.checks.backup import Backup, move_away
from search.checks.findings import Finding, MissingError, damaged, do_without, hold, naming
from storage import paths
from storage.files import DamagedError, check_regular, read_array, save_array
from storage.sweep_file import SweepFile
from storage.text import counted


@dataclass
class DataFiles:
    """The files of the data in a sweep's folder.

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

    def check(self) -> None:
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
