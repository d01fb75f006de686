"""Describes what a data set consists of: a hash that tells whether it changed, and a table that tells what changed."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sweep.datasets.decoders.recipe import STRETCH
from sweep.datasets.problems import shown
from sweep.storage.text import counted

if TYPE_CHECKING:
    from sweep.datasets.pixels.dataset import Dataset, Split

HEADER = ["split", "id", "label", "sha256"]
FOLD = "fold"  # an additional column for data in folds, with numbers from 1
SPLITS = ("train", "validation", "test")
DIGITS = 16  # of each sha256 that the table keeps: enough to tell files apart, and half a megabyte for 12,000 images

Rows = dict[str, dict[str, tuple[str, str]]]  # label and digest, by split and then by id, in the order of the table


def fingerprint(data: "Dataset", image_size: int | None, fit: str = STRETCH) -> str:
    """Returns a hash of how images are resized and, for each image, of its split, id, label and file, in order."""
    resizing = [image_size] if fit == STRETCH or image_size is None else [image_size, fit]
    digest = hashlib.sha256(json.dumps(["image_size", *resizing]).encode())
    for name, split in data.splits.items():
        for image, label, file in _images(split, data.classes, name == "test"):
            digest.update(json.dumps([name, image, label, file]).encode())
    return digest.hexdigest()


def data_table(data: "Dataset") -> bytes:
    """Returns a CSV with a row for each image, `split,id,label,sha256`.

    The label is as it was written, and the hash is shortened to `DIGITS`. If the data has folds, another column holds
    the fold in which the image is validated, from 1; it is empty for test images.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER if data.folds is None else [*HEADER, FOLD])
    for name, split in data.splits.items():
        folds = [()] * len(split.ids) if data.folds is None else [("",)] * len(split.ids)
        if data.folds is not None and name == "train":
            folds = [(fold + 1,) for fold in data.folds.tolist()]
        images = zip(_images(split, data.classes, name == "test"), folds, strict=True)
        writer.writerows((name, image, label, file[:DIGITS], *fold) for (image, label, file), fold in images)
    return text.getvalue().encode()


def parsed_table(table: bytes) -> Rows:
    """Parses a table that `data_table` wrote.

    Raises:
      ValueError: it is not a whole table.
      csv.Error: it is not CSV.
    """
    header, *rows = [*csv.reader(io.StringIO(table.decode(), newline=""), strict=True)] or [[]]
    if header not in (HEADER, [*HEADER, FOLD]):
        raise ValueError(f"must have the header {','.join(HEADER)}, got {shown(','.join(header))}")
    if not rows:
        raise ValueError("must have a row for each image, got 0 rows")
    if FOLD in header:
        rows = [row[: len(HEADER)] for row in rows]
    by_split: Rows = {}
    for row in rows:
        if len(row) != len(HEADER) or row[0] not in SPLITS or len(row[3]) != DIGITS:
            raise ValueError(f"must have rows of split, id, label and {DIGITS} digits, got {shown(','.join(row))}")
        split, name, label, digest = row
        by_split.setdefault(split, {})[name] = label, digest
    return by_split


def judging(rows: Rows) -> dict[str, tuple[str, str]]:
    """Returns the images that judge trials: those of the validation split, or with folds all of train."""
    return rows.get("validation") or rows.get("train", {})


def parsed_folds(table: bytes) -> list[int] | None:
    """Returns the fold of each train image in a table of `data_table`, from 1; None if the data has no folds.

    Raises:
      ValueError: a fold is not a number.
      csv.Error: it is not CSV.
    """
    header, *rows = [*csv.reader(io.StringIO(table.decode(), newline=""), strict=True)] or [[]]
    if header != [*HEADER, FOLD]:
        return None
    return [int(row[-1]) for row in rows if row[0] == "train"]


def differences(before: bytes, data: "Dataset") -> list[str]:
    """Returns what has changed since an earlier table was written, a sentence for each difference.

    Args:
      before: an earlier result of `data_table`.
      data: the data set as it is now.
    """
    try:
        old, new = parsed_table(before), parsed_table(data_table(data))
    except (ValueError, csv.Error):
        return ["the table of the images as they were is damaged: they cannot be compared one by one"]
    sentences = [sentence for name in SPLITS for sentence in _split_differences(name, old.get(name), new.get(name))]
    return sentences or _fold_differences(before, data)


def _fold_differences(before: bytes, data: "Dataset") -> list[str]:
    """Returns a sentence if the same images are divided into other folds."""
    try:
        old = parsed_folds(before)
    except ValueError:
        old = None
    if old is None or data.folds is None or len(old) != len(data.folds):
        return []
    moved_rows = [row for row, fold in enumerate(data.folds.tolist()) if fold + 1 != old[row]]
    first = f", first {shown(data.train.ids[moved_rows[0]])}" if moved_rows else ""
    return [f"{counted(len(moved_rows), 'image')} in another fold{first}"] if moved_rows else []


def _images(split: "Split", classes: tuple[str, ...], is_test: bool) -> Iterator[tuple[str, str | None, str]]:
    """Yields the id, the label and the digest of each image.

    The labels of a test split are left out if each is the name of the folder with which the id begins. Earlier versions
    did not read such labels, and the id holds them anyway.
    """
    labels: list[str | None] = [None] * len(split.ids)
    if split.labels is not None:
        names = [classes[label] for label in split.labels]
        labels = labels if is_test and all(map(_is_in, split.ids, names)) else [*names]
    return zip(split.ids, labels, split.digests, strict=True)


def _is_in(name: str, label: str) -> bool:
    """Returns whether the first folder of a name is the label."""
    return name.startswith(f"{label}/")


def _split_differences(
    name: str, old: dict[str, tuple[str, str]] | None, new: dict[str, tuple[str, str]] | None
) -> Iterator[str]:
    """Yields a sentence for each image of a split that is gone, new, or has another label or other pixels."""
    if old is None or new is None:
        if images := old or new:
            yield f"the {name} split is {'gone' if new is None else 'new'}: {counted(len(images), 'image')}"
        return
    for image in old:
        if image not in new:
            yield f"{name}: {shown(image)} is gone"
    for image, (label, digest) in new.items():
        if image not in old:
            yield f"{name}: {shown(image)} is new"
            continue
        label_before, digest_before = old[image]
        if label != label_before:
            yield f"{name}: {shown(image)} has another label: was {shown(label_before)}, now {shown(label)}"
        if digest != digest_before:
            yield f"{name}: {shown(image)} has other pixels"
    if [image for image in old if image in new] != [image for image in new if image in old]:
        yield f"the order of {name} differs"
