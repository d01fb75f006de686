"""Finds the role of each column of a table: the name of the image, its label, its group, its split."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sweep.datasets.folds import are_folds
from sweep.datasets.problems import Problem, shown
from sweep.datasets.sources.images import Images, folder_of
from sweep.datasets.sources.readers import Columns
from sweep.datasets.sources.split_names import is_of_splits, split_of, words_of
from sweep.storage.sweep_file import DataOptions

PROBED = 400  # rows by which a column is judged
MOSTLY = 0.5  # the share of values that must be files in a column that names images
ID_WORDS = ("image", "images", "img", "file", "filename", "path", "filepath", "photo", "picture", "name", "id")
LABEL_WORDS = {
    *("label", "labels", "class", "classes", "classname", "category", "target", "species", "breed"),
    *("diagnosis", "dx", "tag", "tags", "y", "grade", "severity", "level", "landmark", "cultivar"),
    *("klasse", "kategorie", "art", "clase", "categoria", "etiqueta", "especie", "classe", "categorie", "etiquette"),
    *("espece", "specie", "标签", "类别", "ラベル", "метка", "класс"),  # the same words in other languages
}
GROUP_WORDS = {
    *("patient", "subject", "driver", "lesion", "camera", "person", "participant", "series", "session", "video"),
    *("sequence", "seq", "clip", "burst", "group", "location", "plot", "case", "study", "user"),
}
FOLD_WORDS = {"fold", "folds", "kfold"}
SPLIT_WORDS = ("split", "set", "subset", "usage", "partition", "phase", "dataset", "status")
# matches measurements; 1.0 is not matched, because it may be a class
MEASURED = re.compile(r"[+-]?\d*\.(?!0*$)\d+(e[+-]?\d+)?|[+-]?\d+(\.\d+)?e[+-]?\d+")
DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}.*|\d{1,2}:\d{2}.*")


@dataclass(frozen=True)
class Roles:
    """A table, without its header, and the roles of its columns.

    Attributes:
      columns: the table.
      names: the names of the columns, as messages show them.
      id: number of the column that names the image.
      label: number of the column with the label; None if there is none.
      group: number of the column with the group; None if there is none.
      split: number of the column with the split; None if there is none.
      one_hot: numbers of the columns, one for each class, that give the label by a 1.
      is_sure: the label column follows from its name, the sample submission or a flag, and not only from its values.
      fold: number of the column with the fold; None if there is none.
    """

    columns: Columns
    names: tuple[str, ...]
    id: int
    label: int | None = None
    group: int | None = None
    split: int | None = None
    one_hot: tuple[int, ...] = ()
    is_sure: bool = True
    fold: int | None = None


class SeveralLabels(Problem):
    """The problem that several columns are named as labels.

    The table does give the classes; it is only not known which column holds them.
    """


def find_roles(
    columns: Columns,
    images: Images,
    options: DataOptions,
    sample_names: Sequence[str],
    is_test: bool,
    image: int | None = None,
    own_width: int | None = None,
) -> Roles | Problem | None:
    """Returns the roles of a table's columns; a problem if they are not clear; None if no column names images.

    Args:
      columns: the table.
      images: the images of the data set.
      options: the flags.
      sample_names: the columns of the sample submission, without the ids.
      is_test: True if the table needs no labels.
      image: the number of the column that names the images; None to infer it.
      own_width: only the first `own_width` columns may be the label. They are the columns that the table had before
        others were joined to it. None for all columns.
    """
    columns, names = with_header(columns, images, options)
    number = image_column(columns, images, options) if image is None else image
    if number is None or isinstance(number, Problem):
        return number
    roles = Roles(columns, names, number)
    roles = replace(roles, fold=_fold_column(roles, options))
    flag_column = column_named(names, options.split_column) if options.split_column else None
    is_of_folds = flag_column is not None and flag_column == roles.fold
    roles = replace(roles, split=flag_column if options.split_column and not is_of_folds else _split_column(roles))
    group = column_named(names, options.group_column) if options.group_column else _group_column(roles, sample_names)
    roles = replace(roles, group=group)
    return roles if is_test else _with_label(roles, images, options, sample_names, own_width)


def with_header(columns: Columns, images: Images, options: DataOptions) -> tuple[Columns, tuple[str, ...]]:
    """Returns the table without its header, and the names of its columns."""
    if columns.header:
        return columns, columns.header
    if not columns.rows:
        return columns, ()
    first, rest = columns.rows[0], columns.rows[1:]
    flag_names = {options.id_column, options.label_column, options.group_column, options.split_column} & set(first)
    has_image = any(images.named(field) for field in first if not field.isdigit())
    has_repeats = any(field and field in {row[number] for row in rest[:PROBED]} for number, field in enumerate(first))
    are_numbers = bool(first) and all(re.fullmatch(r"[+-]?\d+(\.\d+)?", field) for field in first)
    if not flag_names and (has_image or has_repeats or are_numbers):
        return columns, tuple(f"column {number}" for number in range(1, len(first) + 1))
    return replace(columns, header=first, rows=rest, lines=columns.lines[1:]), first


def column_named(names: Sequence[str], name: str) -> int | None:
    """Returns the column that a flag names, by its header or by its number from 1; None if there is no such column."""
    if name in names:
        return names.index(name)
    lower_names = [each.strip().lower() for each in names]
    if name.lower() in lower_names:
        return lower_names.index(name.lower())
    return int(name) - 1 if name.isdigit() and 1 <= int(name) <= len(names) else None


def flag_value(columns: Columns, names: Sequence[str], number: int) -> str:
    """Returns the value by which a flag names a column: its header, or its number if there is no header."""
    return shlex.quote(names[number]) if columns.header and names[number] else str(number + 1)


def _probe(columns: Columns, number: int) -> list[str]:
    """Returns about `PROBED` values of a column, spread over all rows."""
    step = max(1, len(columns.rows) // PROBED)
    return [row[number] for row in columns.rows[::step]]


def image_column(columns: Columns, images: Images, options: DataOptions) -> int | Problem | None:
    """Returns the column that names the image of each row; None if there is none, or the problem that several may.

    The header must have been separated from the rows.
    """
    names = columns.header or tuple(f"column {number}" for number in range(1, columns.width + 1))
    if options.id_column:
        return column_named(names, options.id_column)
    if columns.id_column is not None:
        return columns.id_column
    candidates: list[tuple[tuple[bool, bool, int], int]] = []
    for number in range(columns.width):
        values = _probe(columns, number)
        if not values or images.rate(values) < MOSTLY:
            continue
        is_path = all(not value.isdigit() for value in values)
        is_unique = len(set(values)) > MOSTLY * len(values)
        if is_path or is_unique:
            rank = min((ID_WORDS.index(word) for word in words_of(names[number]) if word in ID_WORDS), default=99)
            candidates.append(((not is_unique, not is_path, rank), number))
    candidates.sort()
    if len(candidates) > 1 and candidates[0][0] == candidates[1][0]:
        first, second = (number for _, number in candidates[:2])
        pairs = zip(_probe(columns, first), _probe(columns, second), strict=True)
        if any(images.named(one) != images.named(other) for one, other in pairs):
            got = f"{shown(names[first])} and {shown(names[second])}, which name other files"
            one, other = (flag_value(columns, names, number) for number in (first, second))
            way_out = f"choose with --id-column {one} or --id-column {other}"
            return Problem(columns.place, "one column must name the image of a row", got, way_out)
    return candidates[0][1] if candidates else None


def _fold_column(roles: Roles, options: DataOptions) -> int | None:
    """Returns the column whose values are numbers of folds, if the user asks for folds.

    It is the one that `--split-column` names, unless its numbers mean splits, or else one whose name means folds.
    """
    if not options.folds:
        return None
    candidates = [number for number, name in enumerate(roles.names) if set(words_of(name)) & FOLD_WORDS]
    if options.split_column and (flag_column := column_named(roles.names, options.split_column)) is not None:
        candidates = [flag_column]
    for number in candidates:
        values = {*roles.columns.column(number)} - {""}
        splits = numbered_splits(name_of_values(roles.columns, roles.names[number]))
        if number != roles.id and are_folds(values) and not values <= splits.keys():
            return number
    return None


def _split_column(roles: Roles) -> int | None:
    """Returns the column whose values are splits: words for them, or numbers if its name means a split."""
    for number, name in enumerate(roles.names):
        if number == roles.id:
            continue
        values = set(_probe(roles.columns, number))
        splits = {split_of(value) for value in values}
        if None not in splits and "train" in splits and len(splits) > 1:
            return number
        if len(values) > 1 and values <= numbered_splits(name_of_values(roles.columns, name)).keys():
            return number
    return None


def name_of_values(columns: Columns, name: str) -> str:
    """Returns the name of a column; in a list of splits without header, the name of the file is used instead."""
    stem = columns.file.rpartition("/")[2].rpartition(".")[0]
    return stem if not columns.header and columns.width == 2 and is_of_splits(stem) else name


def numbered_splits(name: str) -> dict[str, str]:
    """Returns the split that each value means in a column with this name, such as `is_valid` or `split`."""
    words = set(words_of(name))
    is_question = "is" in words or "split" in words  # `train_test_split` is 1 for the same rows as `is_train`
    if words & {"train", "training"} and (is_question or len(words) == 1):
        return _yes_or_no("train", "test")
    if words & {"valid", "val", "validation"} and is_question:
        return _yes_or_no("validation", "train")
    if "test" in words and is_question:
        return _yes_or_no("test", "train")
    if words & set(SPLIT_WORDS):
        return {"0": "train", "1": "validation", "2": "test"}
    return {}


def _yes_or_no(yes: str, no: str) -> dict[str, str]:
    """Returns the split for each spelling of yes and of no."""
    return dict.fromkeys(("1", "1.0", "True", "true", "TRUE"), yes) | dict.fromkeys(
        ("0", "0.0", "False", "false", "FALSE"), no
    )


def _group_column(roles: Roles, sample_names: Sequence[str]) -> int | None:
    """Returns the column whose name means something that several images share, if its values do repeat."""
    for number, name in enumerate(roles.names):
        if number in (roles.id, roles.split) or name in sample_names or roles.columns.header is None:
            continue
        if set(words_of(name)) & GROUP_WORDS and not set(words_of(name)) & LABEL_WORDS:
            values = roles.columns.column(number)
            if 1 < len(set(values)) < len(values):
                return number
    return None


def _with_label(
    roles: Roles, images: Images, options: DataOptions, sample_names: Sequence[str], own_width: int | None
) -> Roles | Problem:
    """Returns the roles with the label column; there may be none, in which case the folders give the labels."""
    columns, names = roles.columns, roles.names
    if options.label_column:
        return replace(roles, label=column_named(names, options.label_column))
    if columns.label_column is not None or columns.id_column is not None:
        return replace(roles, label=columns.label_column)
    role_columns = (roles.id, roles.group, roles.split, roles.fold)
    others = [
        number for number in range(columns.width if own_width is None else own_width) if number not in role_columns
    ]
    in_sample = [number for number in others if names[number] in sample_names]
    if len(in_sample) == 1 and len(sample_names) == 1:
        return replace(roles, label=in_sample[0])
    if len(in_sample) > 1 and _are_one_hot(columns, in_sample):
        return replace(roles, one_hot=tuple(in_sample))
    for number in others if len(sample_names) > 1 else []:
        values = set(columns.column(number))
        if len(values) > 1 and values <= set(sample_names):
            return replace(roles, label=number)
    if len(others) > 1 and _are_one_hot(columns, others):
        return replace(roles, one_hot=tuple(others))
    if len(others) == 1 and len(set(columns.column(others[0]))) < len(columns.rows):
        is_named = bool(set(words_of(names[others[0]])) & LABEL_WORDS) or not columns.header
        return replace(roles, label=others[0], is_sure=is_named)
    likely = [number for number in others if _may_be_label(columns, number)]
    folder_columns = [number for number in likely if _are_folders(roles, number, images)]
    by_word = [number for number in likely if set(words_of(names[number])) & LABEL_WORDS]
    for numbers in (folder_columns, by_word, likely):
        if numbers and all(_are_equivalent(columns, numbers[0], other) for other in numbers[1:]):
            label = min(numbers, key=lambda number: (_is_number(columns, number), number))
            return replace(roles, label=label, is_sure=numbers is not likely)
        if len(numbers) > 1:
            got = ", ".join(shown(names[number]) for number in numbers[:5]) + (", ..." if len(numbers) > 5 else "")
            flags = (f"--label-column {flag_value(columns, names, number)}" for number in numbers[:2])
            kind = SeveralLabels if numbers is by_word else Problem
            return kind(columns.place, "one column must be the label", got, f"choose with {' or '.join(flags)}")
    return roles


def _are_one_hot(columns: Columns, numbers: Sequence[int]) -> bool:
    """Returns whether all values of these columns are 0 or 1, so that each column may belong to a class."""
    return all(_as_bit(value) is not None for number in numbers for value in _probe(columns, number))


def _as_bit(value: str) -> int | None:
    """Returns 0 or 1 for a value that means one of them, else None."""
    return {"0": 0, "0.0": 0, "1": 1, "1.0": 1, "false": 0, "true": 1}.get(value.strip().lower())


def label_of_bits(roles: Roles, row: Sequence[str]) -> list[str]:
    """Returns the classes whose column is 1 in a row."""
    return [roles.names[number] for number in roles.one_hot if _as_bit(row[number]) == 1]


def _may_be_label(columns: Columns, number: int) -> bool:
    """Returns whether the values of a column occur repeatedly and are not measurements."""
    values = _probe(columns, number)
    kinds = set(values)
    is_measured = any(MEASURED.fullmatch(value.lower()) or DATE.fullmatch(value) for value in kinds)
    return 1 < len(kinds) <= max(2, len(values) // 2) and not is_measured


def _is_number(columns: Columns, number: int) -> bool:
    """Returns whether the values of a column are whole numbers."""
    return all(value.lstrip("+-").isdigit() for value in _probe(columns, number))


def _are_folders(roles: Roles, number: int, images: Images) -> bool:
    """Returns whether the values of a column are names of the folders in which the images lie."""
    for row in roles.columns.rows[:: max(1, len(roles.columns.rows) // PROBED)]:
        files = images.named(row[roles.id])
        if not files or row[number] not in folder_of(files[0]).split("/"):
            return False
    return True


def _are_equivalent(columns: Columns, one: int, other: int) -> bool:
    """Returns whether two columns give the same classes under different names."""
    pairs = {(row[one], row[other]) for row in columns.rows}
    return len(pairs) == len({first for first, _ in pairs}) == len({second for _, second in pairs})
