"""Reads the sample submission: the images that it names, and the form in which it expects predictions."""

from dataclasses import dataclass, replace

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import sort_classes
from sweep.datasets.problems import Findings, Problem, shown
from sweep.datasets.sources import Reading
from sweep.datasets.sources.class_names import numbers_of_names
from sweep.datasets.sources.images import AmbiguousError, Images, folder_of, resolved
from sweep.datasets.sources.listing import Listing
from sweep.datasets.sources.readers import Columns
from sweep.datasets.sources.roles import MOSTLY
from sweep.datasets.sources.sample_file import SampleFile, counts_up, find_sample
from sweep.datasets.submission import KNOWN, Form, SampleContent, Submission, recognise
from sweep.storage.sweep_file import DataOptions
from sweep.storage.text import counted

WAY_OUT = f"give one with --submission FILE: {KNOWN}"


@dataclass(frozen=True)
class Handed:
    """The facts about a data set that its sample submission tells.

    Attributes:
      listing: the test images, if nothing else in the data names them.
      submission: the form in which predictions are written; None for `id,label`.
      file: the file of the sample in the data; empty if there is none.
    """

    listing: Listing | None = None
    submission: Submission | None = None
    file: str = ""


def read_sample(tree: FileTree, options: DataOptions, reading: Reading, findings: Findings) -> Handed:
    """Reads the sample submission of a data set, if there is one.

    A sample that cannot be used gives a note, or a problem if a flag refers to it.
    """
    images = Images(tree)
    sample = find_sample(tree, options, images)
    if sample is None:
        if options.positive_class is not None:
            findings.refuse("", "--positive-class needs a sample submission, and there is none", "", WAY_OUT)
        return Handed()
    try:
        return _read(tree, options, reading, findings, images, sample)
    except _UnfitError as error:
        columns = sample.columns
        rule, got = error.args
        if options.submission is not None or options.positive_class is not None:
            problem = columns if isinstance(columns, Problem) else Problem(columns.place, rule, got, WAY_OUT)
            findings.problems.append(problem)
        else:
            clause = f"{rule}, got {got}" if got else rule
            findings.notes.append(f"{columns.place}: {clause}: predictions.csv has `id,label`; {WAY_OUT}.")
        return Handed(error.listing, None, sample.file)


class _UnfitError(Exception):
    """The error that a sample cannot be filled: the rule that it breaks, and what was found instead.

    Attributes:
      listing: the test images that it names nevertheless.
    """

    def __init__(self, rule: str, got: str, listing: Listing | None = None) -> None:
        super().__init__(rule, got)
        self.listing = listing


def _read(
    tree: FileTree, options: DataOptions, reading: Reading, findings: Findings, images: Images, sample: SampleFile
) -> Handed:
    """Returns what a sample says about the data.

    Raises:
      _UnfitError: the sample cannot be filled.
    """
    columns, listing = sample.columns, None
    if isinstance(columns, Problem):
        raise _UnfitError(columns.rule, columns.got)
    order = sorted(range(columns.width), key=lambda number: number in sample.indices)
    test = reading.listings.get("test")
    if test is None:
        id_columns = [number for number in order if images.rate(columns.column(number)) >= MOSTLY]
        if not id_columns:
            example = shown(columns.rows[0][order[0]]) if columns.rows else "a header alone"
            raise _UnfitError("a sample must name the test images, where nothing else does", example)
        order = sorted(id_columns, key=lambda number: len(set(columns.column(number))) < len(columns.rows))[:1]
        test = listing = _list_images(columns, order[0], images, reading, findings)
    ids, rows, id_column = _ids(columns, order, test, reading, images, listing)
    kept_cells = {number: tuple(columns.column(number)) for number in sample.indices if number != id_column}
    form, other = _form(tree, options, reading, images, columns, {id_column, *kept_cells}, listing)
    submission = Submission(columns.header or (), ids, rows, form, other, id_column, kept_cells, columns.separator)
    if form.sentence() != "the label" or other:
        name = shown(columns.header[id_column]) if columns.header else "the id"
        findings.notes.append(f"{columns.place}: predictions.csv has its form: {name} and {submission.sentence()}.")
    return Handed(listing, submission, sample.file)


def _ids(
    columns: Columns,
    order: list[int],
    test: Listing | None,
    reading: Reading,
    images: Images,
    listing: Listing | None,
) -> tuple[tuple[str, ...], tuple[int, ...], int]:
    """Returns the ids of a sample, the row of each in the test split, and the number of their column.

    Args:
      columns: the sample.
      order: the order in which columns are tried.
      test: the test split.
      reading: how the data is read.
      images: the images of the data.
      listing: see `_UnfitError`.

    Raises:
      _UnfitError: no column names each test image once.
    """
    if test is None:
        raise _UnfitError("a sample must name the test images, and none is there", "", listing)
    if not columns.rows:  # the sample is only a header
        return test.ids, tuple(range(len(test.ids))), order[0]
    for number in order:
        ids = columns.column(number)
        if rows := _rows_of(ids, test, reading, images):
            return tuple(ids), tuple(rows), number
    first = columns.column(order[0])
    images_text = counted(len(test.ids), "test image")
    got = f"{counted(len(first), 'row')}, the first {shown(first[0])}"
    raise _UnfitError(f"its ids must be those of the {images_text}, one each", got, listing)


def _form(
    tree: FileTree,
    options: DataOptions,
    reading: Reading,
    images: Images,
    columns: Columns,
    others: set[int],
    listing: Listing | None,
) -> tuple[Form, Form | None]:
    """Returns the form of the columns to predict, and a second form that they may have.

    Args:
      tree: the data set.
      options: the flags.
      reading: how the data is read.
      images: the images of the data.
      columns: the sample.
      others: numbers of the columns that are not predicted.
      listing: see `_UnfitError`.

    Raises:
      _UnfitError: the form is not a known one.
    """
    targets = [number for number in range(columns.width) if number not in others]
    classes = sort_classes(reading.listings["train"].labels or ())
    if options.positive_class is not None and (options.positive_class not in classes or len(classes) != 2):
        rule = "--positive-class must be one of two classes"
        raise _UnfitError(rule, shown(options.positive_class), listing)
    sample = SampleContent(
        names=tuple(columns.header[number] if columns.header else "" for number in targets),
        values=tuple(tuple(columns.column(number)) for number in targets),
        classes=classes,
        positive=options.positive_class,
    )
    result = recognise(sample)
    if isinstance(result, str):
        cells = {*sample.names, *(value for values in sample.values for value in values)}
        result = recognise(replace(sample, numbers=numbers_of_names(tree, images, classes, cells)))
    if isinstance(result, str):
        raise _UnfitError("the form that a sample shows must be known", result, listing)
    return result


def _list_images(columns: Columns, number: int, images: Images, reading: Reading, findings: Findings) -> Listing | None:
    """Returns the images that a column of a sample names, in its order; a name without an image is a problem."""
    ids = columns.column(number)
    try:
        files = resolved(images, ids, folder_of(columns.file), "test")
    except AmbiguousError as error:
        folders = " and ".join(shown(folder + "/") for folder in sorted(error.holding)[:3])
        rule = "its images must be in one folder only"
        findings.refuse(columns.place, rule, folders, "name the test images with --test")
        return None
    other_files = {file for split, listing in reading.listings.items() if split != "test" for file in listing.files}
    for line, name, file in zip(columns.lines, ids, files, strict=True):
        if file is None:
            rule = f"image must exist, {shown(name)} is none of the files"
            findings.refuse(f"{columns.place}:{line}", rule, "", "add it or remove the row")
    rows = [row for row, file in enumerate(files) if file and file not in other_files]
    if not rows:
        return None
    findings.notes.append(f"{columns.place}: it names the {counted(len(rows), 'test image')}.")
    fields = tuple(ids[row] for row in rows), None, tuple(files[row] or "" for row in rows)
    return Listing(columns.place, *fields, tuple(columns.lines[row] for row in rows))


def _rows_of(ids: list[str], test: Listing, reading: Reading, images: Images) -> list[int] | None:
    """Returns for each id of the sample the row of its test image; None if they do not match one to one."""
    if len(ids) != len(test.ids):
        return None
    by_id = {name: row for row, name in enumerate(test.ids)}
    by_file = {file: row for row, file in enumerate(test.files)}
    matches: list[int | None] = []
    for name in ids:
        row = by_id.get(name)
        row = reading.other_ids.get(name) if row is None else row
        if row is None:
            rows = [by_file[file] for file in images.named(name) if file in by_file]
            row = rows[0] if len(rows) == 1 else None
        matches.append(row)
    rows = [row for row in matches if row is not None]
    if sorted(rows) == list(range(len(ids))):
        return rows
    return list(range(len(ids))) if counts_up(ids) and not any(images.named(name) for name in test.ids) else None
