"""Predictions of the models of a sweep, as the file that is handed in: checked before it appears."""

import csv
import hashlib
import io
import os
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from analysis.outputs import predictor
from analysis.outputs.predictor import Predictor
from analysis.record import Record
from analysis.sweep_data import data_spared, sweep_data
from datasets.load import load_images
from datasets.pixels.dataset import Split
from datasets.problems import DataError, Problem, shown
from datasets.submission import Submission
from storage.command_line import check_out
from storage.errors import SweepError
from storage.files import save_bytes
from storage.text import counted

SHOWN = 5  # differences in a message
LONGEST_NAME = 40  # characters of the images' name in that of the file
OWN_FILES = ("predictions", "probabilities")


class PredictionError(SweepError):
    """Predictions that do not fit the images they are of; the message shows the first differences."""


def predict(
    sweep: Path,
    kind: str | None,
    is_averaged: bool,
    images: Path | None,
    data: Path | None,
    out: Path | None,
    probabilities: bool,
    id_column: str | None = None,
) -> list[str]:
    """Writes the predictions that a command asks for, by its options; returns what is to be said of them, a line each.

    Raises:
      PredictionError: two options do not go together, or `out` would replace what is not the sweep's to replace.
      SweepError, DataError, DamagedError: the sweep or its data cannot be read.
    """
    if images is not None and data is not None:
        raise PredictionError("--data names the sweep's own data, --images others to predict: give one of them")
    if is_averaged and kind is None:
        raise PredictionError("--tta: say what is to be averaged, --with best, ensemble or refit")
    model = predictor.KINDS[kind](sweep, is_averaged) if kind else predictor.chosen(Record(sweep))
    notes: list[str] = []
    if images is None:
        split, submission = _test_split(Record(sweep), data)
    else:
        split, submission = load_images(images, model.image_size, notes, model.decoding, id_column), None
    out = out or sweep / _default_name(kind, is_averaged, images, probabilities)
    _check_spared(out, sweep, images, data)
    write_predictions(model, split, submission, out, probabilities)
    return [f"{out}: {counted(len(split.ids), 'prediction')} of {model.label}", *notes]


def write_predictions(
    model: Predictor,
    split: Split,
    submission: Submission | None,
    out: Path,
    probabilities: bool = False,
    shares: np.ndarray | None = None,
) -> None:
    """Writes the predictions as they are handed in; `out` appears only after its bytes were checked.

    Args:
      shares: (N, classes), the model's probabilities of each image; None where they are still to be computed.
      submission: the header, and the ids in their order; None for `id,label` and those of the split.
      probabilities: adds a column `p(CLASS)` for each class.

    Raises:
      PredictionError: the file is not what it must be.
    """
    shares = model.probabilities(split.images) if shares is None else shares
    labels = [model.classes[index] for index in model.answers(shares)]
    form = submission or Submission.of(split.ids)
    rows = list(form.rows)
    of_classes = shares[rows] if probabilities else None
    table = predictions_table(form.ids, [labels[row] for row in rows], of_classes, model.classes, form.header)
    check_predictions(table, form, len(split.ids), model.classes)
    save_bytes(out, table)


def check_predictions(table: bytes, form: Submission, images: int, classes: tuple[str, ...]) -> None:
    """Checks the bytes of a prediction file against the form in which it is handed in.

    Args:
      images: how many are predicted.

    Raises:
    PredictionError: header, number, order, an id or a label is not what it must be.
    """
    header, *rows = csv.reader(io.StringIO(table.decode(), newline=""), strict=True)
    if header[:2] != list(form.header):
        rule = f"header must be `{','.join(form.header)}`"
        raise PredictionError(f"predictions: {rule}, got {shown(','.join(header))}")
    pairs = enumerate(zip_longest([row[0] for row in rows], form.ids), start=1)
    wrong = [f"row {row} has {_or_none(got)} for {_or_none(wanted)}" for row, (got, wanted) in pairs if got != wanted]
    _raise_for(wrong, f"predictions: there must be one for each of the {counted(len(form.ids), 'id')} in their order")
    if sorted(form.rows) != list(range(images)):
        raise PredictionError(f"predictions: each of the {counted(images, 'test image')} must have one id, once")
    wrong = [f"{shown(row[0])} has {shown(row[1])}" for row in rows if row[1] not in classes]
    _raise_for(wrong, "predictions: labels must be classes of the sweep")


def _raise_for(wrong: list[str], rule: str) -> None:
    if wrong:
        more = [f"... and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise PredictionError("\n".join([rule] + [f"  {line}" for line in wrong[:SHOWN] + more]))


def _or_none(name: str | None) -> str:
    return "nothing" if name is None else shown(name)


def predictions_table(
    ids: Sequence[str],
    labels: Sequence[str],
    shares: np.ndarray | None = None,
    classes: Sequence[str] = (),
    header: tuple[str, str] = ("id", "label"),
) -> bytes:
    """Returns the bytes of a prediction file: the header, and a row an id in the order given.

    Args:
      shares: (N, classes) probabilities; adds a column `p(CLASS)` for each of the classes.

    Raises:
      ValueError: `ids`, `labels` and `shares` differ in length.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*header, *(f"p({label})" for label in classes if shares is not None)])
    shares = np.empty((len(ids), 0)) if shares is None else shares
    for name, label, row in zip(ids, labels, shares, strict=True):
        writer.writerow([name, label, *(f"{share:.6f}" for share in row)])
    return text.getvalue().encode()


def _test_split(record: Record, place: Path | None) -> tuple[Split, Submission | None]:
    """Returns the test images of the sweep's data, and how their predictions are handed in."""
    data = sweep_data(record, place)
    if data.test is None:
        where = str(place or record.settings.data)
        raise DataError([Problem(where, "has no test split", "", "give the images with --images")])
    return data.test, data.submission


def _default_name(kind: str | None, tta: bool, images: Path | None, probabilities: bool) -> str:
    """The name of the file, another one for each way to predict and each place of images.

    `of` stands before the name of the images, so that a folder `best` is not taken for `--with best`; the eight digits
    after it are of their whole path, so that two folders of one name have a file each.
    """
    parts = ["probabilities" if probabilities else "predictions", kind or "", "tta" if tta else ""]
    if images is not None:
        place = images.resolve()
        name = place.stem if place.is_file() else place.name
        name = "".join(c if c.isalnum() or c in "._-" else "_" for c in name[:LONGEST_NAME])
        parts += ["of", name, hashlib.sha256(os.fsencode(place)).hexdigest()[:8]]
    return "-".join(filter(None, parts)) + ".csv"


def _check_spared(out: Path, sweep: Path, images: Path | None, data: Path | None) -> None:
    """Checks that no file of the sweep, of its data or beside the images is lost to the predictions.

    Raises:
      UserError: one would be.
    """
    place = out.resolve()
    if place.parent == sweep.resolve() and place.suffix == ".csv" and place.name.startswith(OWN_FILES):
        return check_out(out, {})  # predictions of before may be replaced
    spared = {sweep: "a file of the sweep itself"} | data_spared(Record(sweep), data)
    if images:
        beside = place.parent if images.is_file() and place.parent == images.resolve().parent else images
        spared |= dict.fromkeys((images, beside), "there already, with the images of --images")
    check_out(out, spared)
