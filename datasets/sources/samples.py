"""The sample submission: which images it names, and whether predictions can be written in its form."""

import re
from dataclasses import dataclass

from datasets.file_tree import FileTree
from datasets.problems import Findings, printable, shown
from datasets.sources import Reading
from datasets.sources.images import AmbiguousError, Images, folder_of, resolved
from datasets.sources.label_values import WITH_BOXES
from datasets.sources.listing import Listing
from datasets.sources.readers import Columns, read_columns
from datasets.sources.roles import MOSTLY
from datasets.sources.split_names import is_sample
from datasets.sources.table_files import SUFFIXES, with_first_row_as_header
from datasets.submission import Submission
from storage.text import counted


@dataclass(frozen=True)
class Handed:
    """What a sample submission says of a data set.

    Attributes:
      listing: the test images, where no other says them.
      submission: how predictions are written; None for `id,label`.
      file: of the sample; empty where there is none.
    """

    listing: Listing | None = None
    submission: Submission | None = None
    file: str = ""


def read_sample(tree: FileTree, reading: Reading, findings: Findings) -> Handed:
    """Reads the sample submission of a data set, where there is one."""
    files = [name for name in tree.visible if name.lower().endswith(SUFFIXES) and is_sample(name)]
    files = [name for name in files if name not in reading.files]
    columns = read_columns(tree, files[0]) if files else None
    if not isinstance(columns, Columns) or not columns.rows:
        return Handed()
    columns = with_first_row_as_header(columns)
    if not columns.rows:
        findings.notes.append(f"{columns.place}: has a header alone: predictions.csv has `id,label`.")
        return Handed(file=columns.file)
    images = Images(tree)
    test, ids = reading.listings.get("test"), columns.column(0)
    listing = None
    if test is None:
        if images.rate(ids) < MOSTLY:
            note = f"{columns.place}: names no images (first {shown(ids[0])}): predictions are not written in its form."
            findings.notes.append(note)
            return Handed(file=columns.file)
        test = listing = _listed(columns, images, reading, findings)
    rows = _rows_of(ids, test, reading, images)
    if rows is None:
        rule = "its ids are not those of the test images, one each: predictions.csv has `id,label`"
        findings.notes.append(f"{columns.place}: {rule}.")
        return Handed(listing, None, columns.file)
    classes = set(reading.listings["train"].labels or ())
    if why := _why_not(columns, classes):
        form = f"the form that it shows is not written yet ({why}): predictions.csv has `id,label`"
        findings.notes.append(f"{columns.place}: {form}.")
        return Handed(listing, None, columns.file)
    assert columns.header is not None
    return Handed(listing, Submission((columns.header[0], columns.header[1]), tuple(ids), tuple(rows)), columns.file)


def _listed(columns: Columns, images: Images, reading: Reading, findings: Findings) -> Listing | None:
    """Returns the images that a sample names, in its order; each must be there."""
    ids = columns.column(0)
    try:
        files = resolved(images, ids, folder_of(columns.file), "test")
    except AmbiguousError as error:
        some = " and ".join(shown(folder + "/") for folder in sorted(error.holding)[:3])
        rule = "its images must be in one folder only"
        findings.refuse(columns.place, rule, some, "name the test images with --test")
        return None
    labelled = {file for split, listing in reading.listings.items() if split != "test" for file in listing.files}
    for line, name, file in zip(columns.lines, ids, files, strict=True):
        if file is None:
            rule = f"image must exist, {shown(name)} is none of the files"
            findings.refuse(f"{columns.place}:{line}", rule, "", "add it or remove the row")
    rows = [row for row, file in enumerate(files) if file and file not in labelled]
    if not rows:
        return None
    findings.notes.append(f"{columns.place}: it names the {counted(len(rows), 'test image')}.")
    kept = tuple(ids[row] for row in rows), None, tuple(files[row] or "" for row in rows)
    return Listing(columns.place, *kept, tuple(columns.lines[row] for row in rows))


def _rows_of(ids: list[str], test: Listing | None, reading: Reading, images: Images) -> list[int] | None:
    """Returns for each id of the sample the row of its test image; None where they are not one each."""
    if test is None or len(ids) != len(test.ids):
        return None
    own = {name: row for row, name in enumerate(test.ids)}
    by_file = {file: row for row, file in enumerate(test.files)}
    found: list[int | None] = []
    for name in ids:
        row = own.get(name)
        row = reading.other_ids.get(name) if row is None else row
        if row is None:
            rows = [by_file[file] for file in images.named(name) if file in by_file]
            row = rows[0] if len(rows) == 1 else None
        found.append(row)
    rows = [row for row in found if row is not None]
    if sorted(rows) == list(range(len(ids))):
        return rows
    is_counted = ids == [str(number + 1) for number in range(len(ids))]
    return list(range(len(ids))) if is_counted and not any(images.named(name) for name in test.ids) else None


def _why_not(columns: Columns, classes: set[str]) -> str:
    """Says why one label an image is not what a sample shows; empty where it is."""
    header = columns.header or ()
    if len(header) > 2:
        return f"{len(header) - 1} columns an image, such as {shown(header[1])}"
    if len(header) < 2:
        return "no column for the label"
    values = [value for value in columns.column(1) if value]
    if all(value in classes or WITH_BOXES.fullmatch(value) for value in values):
        return ""
    if any(re.fullmatch(r"[+-]?\d*\.\d+(e[+-]?\d+)?", value.lower()) for value in values):
        return f"a probability, such as {shown(values[0])}"
    if any(" " in value for value in values):
        return f"several labels an image, such as {shown(printable(values[0])[:40])}"
    are_numbers = all(value.lstrip("+-").isdigit() for value in values)
    if are_numbers and not all(label.lstrip("+-").isdigit() for label in classes):
        return f"a number, such as {shown(values[0])}, where the labels are names"
    return ""
