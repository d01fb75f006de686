"""Writes the predictions of a sweep's models as a file to hand in, which is checked before it appears."""

import hashlib
import os
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from sweep.analysis.outputs import handed_in, predictor
from sweep.analysis.outputs.predictor import Predictor
from sweep.analysis.outputs.probability_table import probability_table
from sweep.analysis.record import Record
from sweep.analysis.sweep_data import data_spared, sweep_data
from sweep.datasets.load import load_images
from sweep.datasets.pixels.dataset import Split
from sweep.datasets.problems import DataError, Problem, shown
from sweep.datasets.submission import Submission
from sweep.datasets.submission.stored import read_kept
from sweep.storage import paths
from sweep.storage.command_line import check_out
from sweep.storage.errors import SweepError
from sweep.storage.files import save_bytes
from sweep.storage.text import counted

SHOWN = 5  # differences that a message shows
LONGEST_NAME = 40  # characters of the name of the images that go into the name of the file
OWN = "predictions"  # the start of the names of the sweep's own files
OWN_FILES = (OWN, "probabilities", "test_probabilities")


class PredictionError(SweepError):
    """Predictions cannot be made as asked, or do not fit their images; the message shows the first differences."""


def predict(
    sweep: Path,
    kind: str | None,
    is_averaged: bool,
    images: Path | None,
    data: Path | None,
    out: Path | None,
    probabilities: bool,
    id_column: str | None = None,
    submission: str | None = None,
    positive_class: str | None = None,
) -> list[str]:
    """Writes the predictions that the command asks for; returns the lines that the command prints.

    Args:
      sweep: the folder of the sweep.
      kind: `best`, `ensemble` or `refit`; None for whatever is best by the corrected estimate.
      is_averaged: whether each model's predictions are averaged over the views it trained with; needs a kind.
      images: other images to predict; None for the test images of the sweep's data.
      data: where the sweep's data lies now; None for the place that the sweep recorded.
      out: the file to write; None for a name in the sweep's folder that says what it contains.
      probabilities: whether to write `id,label` and the probability of each class instead of a file to hand in.
      id_column: the column with the names of the images, if `images` is a table.
      submission, positive_class: another sample of the file to hand in, and the class whose probability it has. The
        sweep keeps the form from then on.

    Raises:
      PredictionError: two options exclude each other, or the predictions do not fit their images.
      UserError: `out` would replace a file that is none of the sweep's predictions.
      SweepError, DataError, DamagedError: the sweep or its data cannot be read.
    """
    if images is not None and data is not None:
        raise PredictionError("--data names the sweep's own data, --images others to predict: give one of them")
    if images is not None and (submission or positive_class):
        rule = "--submission and --positive-class are of the sweep's test images, --images names others"
        raise PredictionError(f"{rule}: leave one out")
    if is_averaged and kind is None:
        raise PredictionError("--tta: say what is to be averaged, --with best, ensemble or refit")
    model = predictor.KINDS[kind](sweep, is_averaged) if kind else predictor.chosen(Record(sweep))
    notes: list[str] = []
    if images is None:
        split, form = _test_split(Record(sweep), data, submission, positive_class)
    else:
        split, form = load_images(images, model.image_size, notes, model.decoding, id_column), None
    out = out or sweep / _default_name(kind, is_averaged, images, probabilities)
    is_of_test = images is None and not probabilities
    for path in (out, *([probabilities_beside(out)] if is_of_test else [])):
        _check_spared(path, sweep, images, data)
    shares = model.probabilities(split.images)
    if probabilities:
        save_bytes(out, labelled(model, split.ids, shares))
    elif is_of_test:
        probabilities_path = write_test_predictions(model, split, form, out, shares)
        notes.append(f"{probabilities_path}: the probabilities that they are made of")
    else:
        write_predictions(model, split, form, out, shares)
    return [f"{out}: {counted(len(split.ids), 'prediction')} of {model.label}", *notes]


def write_test_predictions(
    model: Predictor, test: Split, submission: Submission | None, out: Path, shares: np.ndarray | None = None
) -> Path:
    """Writes the predictions of test images, and beside them a file with the probabilities behind them.

    Arguments and errors are those of `write_predictions`.

    Returns:
      The path of the file with the probabilities: `id`, and a column `p(CLASS)` for each class.
    """
    shares = model.probabilities(test.images) if shares is None else shares
    write_predictions(model, test, submission, out, shares)
    path = probabilities_beside(out)
    save_bytes(path, probability_table({"id": test.ids}, shares, model.classes))
    return path


def probabilities_beside(out: Path) -> Path:
    """Returns the path of the file with the probabilities that belongs to a file of predictions.

    For `predictions-refit.csv` it is `test_probabilities-refit.csv`; for another name, such as `mine.csv`, it is
    `test_probabilities-mine.csv`.
    """
    name = Path(paths.TEST_PROBABILITIES)
    rest = out.stem.removeprefix(OWN) if out.name.startswith(OWN) else f"-{out.stem}"
    return out.with_name(f"{name.stem}{rest}{name.suffix}")


def write_predictions(
    model: Predictor, split: Split, submission: Submission | None, out: Path, shares: np.ndarray | None = None
) -> None:
    """Writes the predictions as they are handed in; `out` appears only after its bytes were checked.

    Args:
      model: the model that predicts.
      split: the images.
      submission: the form of the file, with the ids in their order; None for `id,label` with the ids of the split.
      out: the file to write.
      shares: (N, classes) probabilities that the model gives to the images; None to compute them here.

    Raises:
      PredictionError: the content of the file breaks a rule of `check_predictions`.
    """
    shares = model.probabilities(split.images) if shares is None else shares
    form = submission or Submission.plain(split.ids)
    if sorted(form.rows) != list(range(len(split.ids))):
        images = counted(len(split.ids), "test image")
        raise PredictionError(f"predictions: each of the {images} must have one id, once")
    table = form.table(shares, model.answers(shares), model.classes)
    check_predictions(table, form, model.classes)
    save_bytes(out, table)


def labelled(model: Predictor, ids: Sequence[str], shares: np.ndarray) -> bytes:
    """Returns the bytes of a CSV with the id, the predicted label and the probability of each class of each image.

    Args:
      model: the model that predicted.
      ids: the N names of the images.
      shares: (N, classes) probabilities.
    """
    labels = [model.classes[answer] for answer in model.answers(shares)]
    return probability_table({"id": ids, "label": labels}, shares, model.classes)


def check_predictions(table: bytes, form: Submission, classes: Sequence[str]) -> None:
    """Checks the bytes of a prediction file against the form in which it is handed in.

    Args:
      table: the content of the file.
      form: the form.
      classes: the names of the classes.

    Raises:
      PredictionError: the header, the number or order of the rows, an id or a cell differs from the form.
      ValueError, csv.Error: the bytes are no table.
    """
    header, rows = [], form.read(table)
    if form.header:
        header, *rows = rows or [[]]
    if header != list(form.header):
        rule = f"header must be `{form.separator.join(form.header)}`"
        raise PredictionError(f"predictions: {rule}, got {shown(form.separator.join(header))}")
    width = 1 + len(form.kept) + form.form.width
    problems = [f"row {row} has {len(cells)}" for row, cells in enumerate(rows, start=1) if len(cells) != width]
    _raise_for(problems, f"predictions: each row must have {counted(width, 'field')}")
    for column, expected in {form.id_column: form.ids, **form.kept}.items():
        pairs = enumerate(zip_longest([row[column] for row in rows], expected), start=1)
        problems = [f"row {row} has {_or_none(got)} for {_or_none(name)}" for row, (got, name) in pairs if got != name]
        _raise_for(
            problems, f"predictions: there must be one for each of the {counted(len(expected), 'id')} in their order"
        )
    filled = form.filled
    cells = ((row[form.id_column], [row[column] for column in filled]) for row in rows)
    problems = [
        f"{shown(name)} has {problem}" for name, fields in cells if (problem := form.form.problem(fields, classes))
    ]
    _raise_for(problems, f"predictions: each image must have {form.form.sentence()}")


def _raise_for(problems: list[str], rule: str) -> None:
    if problems:
        rest = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise PredictionError("\n".join([rule] + [f"  {line}" for line in problems[:SHOWN] + rest]))


def _or_none(name: str | None) -> str:
    return "nothing" if name is None else shown(name)


def _test_split(
    record: Record, place: Path | None, sample: str | None, positive_class: str | None
) -> tuple[Split, Submission]:
    """Returns the test images of the sweep's data, and the form in which their predictions are handed in.

    Args:
      record: the sweep.
      place: where the sweep's data lies now; None for the place that the sweep recorded.
      sample, positive_class: the options of `DataOptions`. If one of them is given, the sweep keeps the form that
        follows from them.
    """
    data = sweep_data(record, place, sample, positive_class)
    if data.test is None:
        location = str(place or record.settings.data)
        raise DataError([Problem(location, "has no test split", "", "give the images with --images")])
    if sample or positive_class:
        handed_in.keep(record.folder, data, record.metric)
    return data.test, read_kept(record.folder, data.test.ids)


def _default_name(kind: str | None, tta: bool, images: Path | None, probabilities: bool) -> str:
    """Returns a name for the file that differs between ways to predict and between places of images.

    Before the name of the images stands `of`, so that images in a folder `best` differ from `--with best`. After it
    stand eight digits of a digest of their whole path, so that two folders of the same name get different files.
    """
    parts = ["probabilities" if probabilities else "predictions", kind or "", "tta" if tta else ""]
    if images is not None:
        place = images.resolve()
        name = place.stem if place.is_file() else place.name
        name = "".join(c if c.isalnum() or c in "._-" else "_" for c in name[:LONGEST_NAME])
        parts += ["of", name, hashlib.sha256(os.fsencode(place)).hexdigest()[:8]]
    return "-".join(filter(None, parts)) + ".csv"


def _check_spared(out: Path, sweep: Path, images: Path | None, data: Path | None) -> None:
    """Checks that writing `out` replaces no file of the sweep, of its data or beside the images.

    Raises:
      UserError: such a file would be replaced.
    """
    place = out.resolve()
    if place.parent == sweep.resolve() and place.suffix == ".csv" and place.name.startswith(OWN_FILES):
        return check_out(out, {})  # earlier predictions may be replaced
    spared_places = {sweep: "a file of the sweep itself"} | data_spared(Record(sweep), data)
    if images:
        images_folder = place.parent if images.is_file() and place.parent == images.resolve().parent else images
        spared_places |= dict.fromkeys((images, images_folder), "there already, with the images of --images")
    check_out(out, spared_places)
