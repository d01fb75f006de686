"""Reads images in the rows of tables: Parquet files such as those of Hugging Face, and CSVs of pixels."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sweep.datasets.file_tree import FileTree
from sweep.datasets.folds import are_folds
from sweep.datasets.problems import DataError, Findings, Problem, printable, shown
from sweep.datasets.sources import Nearly, Reading, Source
from sweep.datasets.sources.checked import check_listing
from sweep.datasets.sources.label_values import ONE_OF_SEVERAL
from sweep.datasets.sources.listing import Listing
from sweep.datasets.sources.roles import FOLD_WORDS, GROUP_WORDS, LABEL_WORDS, SPLIT_WORDS
from sweep.datasets.sources.row_files import belonging
from sweep.datasets.sources.split_names import split_of, words_of
from sweep.datasets.sources.split_words import are_splits, split_of_container
from sweep.datasets.trees import Rows
from sweep.storage.sweep_file import DataOptions

SPLITS = ("train", "validation", "test")
ONE_LABEL = "one column must be the label"
MISSING = ("", "-1")  # the values that mean that a test image has no label


@dataclass
class SplitRows:
    """The rows of one split, collected from several files.

    Attributes:
      files: the names of the images in the tree.
      labels: the label of each image.
      groups: the group of each image, or an empty string.
      ids: the id of each image.
      folds: the fold of each image, or an empty string.
    """

    files: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    folds: list[str] = field(default_factory=list)


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the data as tables that hold images; None if there are none. This is the `read` of `Source`."""
    try:
        return _read(tree, options, findings)
    except ValueError as error:  # raised for a damaged column
        rule = "the columns must be readable"
        return Nearly(Problem(tree.path, rule, printable(str(error)), "fetch the file again"), is_damaged=True)


def _read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the tables.

    Raises:
      ValueError: a column is damaged.
    """
    tables = sorted((rows for rows in tree.tables if tree.rules.is_visible(rows.name)), key=lambda rows: rows.name)
    if not tables:
        return None
    try:
        tables = belonging(tree, tables, options, findings)
        image = _image_column(tree, tables, options)
        tables = [rows for rows in tables if image in rows.images]
        label = _label_column(tree, tables, options)
    except DataError as error:
        return Nearly(error.problems[0])
    parts: dict[str, SplitRows] = defaultdict(SplitRows)
    group = options.group_column or _group_column(tables[0])
    inferred = (
        [f"label: column {label.removeprefix('column ')}"]
        + ([f"group: column {group}"] if group else [])
        + ([f"image: column {image}"] if len(tables[0].images) > 1 else [])
    )
    for rows in tables:
        fold = _fold_column(rows, options)
        if fold:
            inferred.append(f"fold: column {fold}")
        split_column = (
            _split_column(rows) if fold == options.split_column else options.split_column or _split_column(rows)
        )
        if split_column and split_column in rows.columns:
            inferred.append(f"split: column {split_column}")
        problem = _add_rows(tree, rows, image, label, group, split_column, fold, options, parts)
        if problem:
            return Nearly(problem)
    listings = {}
    for split in SPLITS:
        if split in parts:
            listings[split] = check_listing(_listing(tree, parts[split], split), findings)
    if "train" not in listings or listings["train"].labels is None:
        rule = "rows with images must have labels, in a table for training"
        got = f"{shown(tables[0].name)} with the columns {_first_columns(tables[0])}"
        return Nearly(Problem(tree.path, rule, got, "give --label-column, and --train FILE"))
    first = next(
        (rows.name for rows in tables if split_of_container(rows.name, options) in ("train", None)), tables[0].name
    )
    test = listings.get("test")
    numbers = {str(row + 1): row for row in range(len(test.ids))} if test else {}
    form = f"images in the rows of {shown(first)}" + (f" and {len(tables) - 1} more" if len(tables) > 1 else "")
    files = frozenset(rows.name for rows in tables)
    return Reading(form, f"--train {first}", listings, tuple(dict.fromkeys(inferred)), files, None, numbers)


def _image_column(tree: FileTree, tables: Sequence[Rows], options: DataOptions) -> str:
    """Returns the column that holds the images.

    Raises:
      DataError: several columns do, and neither a flag nor the name `image` decides.
    """
    counts: Counter[str] = Counter()
    for rows in tables:
        counts.update({column: len(names) for column, names in rows.images.items()})
    if options.images is not None and options.images in counts:
        return options.images
    if len(counts) > 1 and "image" in counts:
        return "image"
    if len(counts) > 1:
        rule = "images must stand in one column"
        raise DataError([_choice_problem(tree, tables[0], rule, sorted(counts), "--images")])
    return next(iter(counts))


def _label_column(tree: FileTree, tables: Sequence[Rows], options: DataOptions) -> str:
    """Returns the label column: the one that a flag names, has class names or a usual name, or the only one.

    Raises:
      DataError: there is none, or it is not clear which it is.
    """
    train = next((rows for rows in tables if split_of_container(rows.name, options) in ("train", None)), tables[0])
    others = [column for column in train.columns if not column.endswith(".path")]
    if options.label_column is not None:
        if options.label_column not in train.columns:
            got = f"the columns {_first_columns(train)}"
            raise DataError(
                [Problem(tree.path, f"--label-column {options.label_column} must be there", got, "mend it")]
            )
        return options.label_column
    role_columns = {options.id_column, options.group_column or _group_column(train)}
    role_columns |= {options.split_column or _split_column(train), _fold_column(train, options)}
    for candidates in (list(train.classes), [name for name in others if set(words_of(name)) & LABEL_WORDS], others):
        candidates = [column for column in candidates if column not in role_columns]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise DataError([_choice_problem(tree, train, ONE_LABEL, candidates, "--label-column")])
    if train.several:
        got, way_out = f"several in column {shown(train.several[0])}", "give another --label-column"
        raise DataError([Problem(f"{tree.path}/{printable(train.name)}", ONE_OF_SEVERAL, got, way_out)])
    rule = "a table with images must have a column of labels"
    place = f"{tree.path}/{printable(train.name)}"
    got = f"the columns {_first_columns(train)} beside the images" if others else "images alone"
    raise DataError([Problem(place, rule, got, "add one, or name it with --label-column")])


def _choice_problem(tree: FileTree, rows: Rows, rule: str, columns: Sequence[str], flag: str) -> Problem:
    """Returns the problem that a flag must choose one of several columns."""
    got = ", ".join(map(shown, columns[:8]))
    way_out = " or ".join(f"{flag} {shlex.quote(column)}" for column in columns[:2])
    return Problem(f"{tree.path}/{printable(rows.name)}", rule, got, f"choose with {way_out}")


def _split_column(rows: Rows) -> str | None:
    """Returns the column all of whose values are names of splits."""
    candidates = [name for name in rows.columns if set(words_of(name)) & set(SPLIT_WORDS)]
    return next((name for name in candidates if are_splits(rows.columns[name]())), None)


def _fold_column(rows: Rows, options: DataOptions) -> str | None:
    """Returns the column whose values are numbers of folds, if the user asks for folds."""
    candidates = [options.split_column] if options.split_column else list(rows.columns)
    for name in candidates if options.folds else ():
        is_named = name == options.split_column or bool(set(words_of(name)) & FOLD_WORDS)
        if is_named and name in rows.columns and are_folds({*rows.columns[name]()} - {""}):
            return name
    return None


def _group_column(rows: Rows) -> str | None:
    """Returns the column whose name means something that several images share, if its values do repeat."""
    for name, values in rows.columns.items():
        words = set(words_of(name))
        if words & GROUP_WORDS and not words & LABEL_WORDS and 1 < len(set(values())) < len(values()):
            return name
    return None


def _add_rows(
    tree: FileTree,
    rows: Rows,
    image: str,
    label: str,
    group: str | None,
    split_column: str | None,
    fold: str | None,
    options: DataOptions,
    parts: dict[str, SplitRows],
) -> Problem | None:
    """Adds the rows of one file to the parts of their splits; returns the problem that the file has, if any."""
    files = rows.images[image]
    place = f"{tree.path}/{printable(rows.name)}"
    try:
        labels = _named_labels(rows, label) if label in rows.columns else [""] * len(files)
        groups = rows.columns[group]() if group in rows.columns else [""] * len(files)
        folds = rows.columns[fold]() if fold else [""] * len(files)
        ids = rows.columns[options.id_column]() if options.id_column in rows.columns else files
        values = rows.columns[split_column]() if split_column in rows.columns else None
    except ValueError as error:
        return Problem(place, "the columns must be readable", str(error), "fetch it again")
    file_split = split_of_container(rows.name, options) or "train"
    for row, file in enumerate(files):
        split = file_split if values is None else split_of(values[row])
        if split is None:
            rule, got = (
                f"column {split_column} must name a split in row {row + 1:,}",
                shown(values[row] if values else ""),
            )
            return Problem(place, rule, got, "mend it, or give another --split-column")
        part = parts[split]
        part.files.append(file)
        part.labels.append(labels[row])
        part.groups.append(groups[row])
        part.ids.append(ids[row])
        part.folds.append(folds[row])
    return None


def _named_labels(rows: Rows, label: str) -> Sequence[str]:
    """Returns the labels of a file, with names instead of numbers if the file has names."""
    values, names = rows.columns[label](), rows.classes.get(label)
    if not names:
        return values
    return [names[int(value)] if value.isdigit() and int(value) < len(names) else value for value in values]


def _listing(tree: FileTree, part: SplitRows, split: str) -> Listing:
    """Returns the listing of a split, without labels if it is not train and all its labels are missing."""
    are_missing = all(label in MISSING for label in part.labels)
    labels = None if are_missing and split != "train" else tuple(part.labels)
    groups, folds = (tuple(names) if any(names) else None for names in (part.groups, part.folds))
    return Listing(f"{tree.path}/", tuple(part.ids), labels, tuple(part.files), None, groups, folds)


def _first_columns(rows: Rows) -> str:
    """Returns the columns of a file for a message."""
    names = [*rows.columns, *rows.several]
    return ", ".join(map(shown, names[:8])) + (", ..." if len(names) > 8 else "") or "none"


SOURCE = Source("Parquet files or CSVs with images in their rows", read)
