"""Finds the names of classes that a table gives as numbers: in `classes.txt`, `label_map.json`, or names of folders."""

from collections.abc import Collection, Sequence

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import label_problem
from sweep.datasets.problems import shown
from sweep.datasets.sources.images import Images
from sweep.datasets.sources.readers import Columns, read_columns
from sweep.datasets.sources.split_names import is_sample, words_of
from sweep.datasets.sources.table_files import table_names

WORDS = {"class", "classes", "label", "labels", "name", "names", "category", "categories", "signnames", "synset"}

MOST_DIGITS = 9  # digits that the number of a class may have
MOSTLY = 0.5  # a list of which this share or more name image files does not hold names of classes


def class_names(
    tables: Sequence[Columns], images: Images, labels: Collection[str], folders: Collection[tuple[str, str]]
) -> tuple[dict[str, str], str, str]:
    """Returns the name of each label that is a number, the file that has the names, and a phrase about it for a note.

    If no file has them, the folders may. If two files give different names, the result is empty. A file that has names
    beside numbers has a row for each class. A mere list of names is counted from 0, or from 1 if no image has the label
    0 and one has the label that is the number of names.

    Args:
      tables: the tables that may have the names.
      images: the images, to recognise a list of image files.
      labels: the distinct labels.
      folders: each label with the name of a folder that has images with this label.
    """
    numbers = {label: int(label) for label in labels if _is_number(label)}
    if len(numbers) < len(labels) or not labels:
        return {}, "", ""
    by_file = {}
    for columns in tables:
        stem = columns.file.rpartition("/")[2].rpartition(".")[0]
        if WORDS & {word for name in (stem, *(columns.header or ())) for word in words_of(name)}:
            label_names = _names_in_list(columns, set(numbers.values())) or _names_in_pairs(columns)
            if label_names.keys() >= set(numbers.values()) and images.rate([*label_names.values()]) < MOSTLY:
                by_file[columns.file] = {label: label_names[number] for label, number in numbers.items()}
    folder_names = dict(folders)
    if not by_file and len(folder_names) == len(folders) == len(labels) > 1 and _are_names([*folder_names.values()]):
        return folder_names, "", "classes: names of the folders"
    first = next(iter(by_file), "")
    if not by_file or any(names != by_file[first] for names in by_file.values()):
        return {}, "", ""
    return by_file[first], first, f"classes: names of {shown(first)}"


def numbers_of_names(
    tree: FileTree, images: Images, classes: Collection[str], cells: Collection[str]
) -> dict[str, str]:
    """Returns the name of each class by its number, from a file of the data.

    It is empty if no file has the names, or if two files differ.

    Args:
      tree: the data set.
      images: the images, to recognise a list of image files.
      classes: the labels, which may be the names or the numbers.
      cells: the cells of a sample submission, which tell whether a mere list of names is counted from 0.
    """
    numbers = {int(cell) for cell in cells if _is_number(cell)} or {0}
    are_names = not all(map(_is_number, classes))
    candidates: list[dict[int, str]] = []
    for file in table_names(tree):
        columns = read_columns(tree, file)
        if not isinstance(columns, Columns) or is_sample(file):
            continue
        names = _names_in_list(columns, numbers) or _names_in_pairs(columns)
        is_whole = set(names.values()) >= set(classes) if are_names else names.keys() >= set(map(int, classes))
        if is_whole and images.rate([*names.values()]) < MOSTLY:
            candidates.append(names)
    first = candidates[0] if candidates and all(names == candidates[0] for names in candidates) else {}
    return {str(number): name for number, name in first.items()}


def _names_in_list(columns: Columns, numbers: set[int]) -> dict[int, str]:
    """Returns the names by number in a table of one column.

    Args:
      columns: the table.
      numbers: the numbers that occur; they tell whether the list is counted from 0 or from 1.
    """
    names = columns.column(0) if columns.width == 1 and not columns.header else []
    if not _are_names(names):
        return {}
    if 0 in numbers:
        return dict(enumerate(names))
    return dict(enumerate(names, 1)) if max(numbers) == len(names) else {}


def _names_in_pairs(columns: Columns) -> dict[int, str]:
    """Returns the name beside each number, provided that no number and no name occurs twice."""
    rows = columns.rows
    if columns.header is None and not any(field.isdigit() for field in (rows or [()])[0]):
        rows = rows[1:]  # the first row is the header
    fields = [[row[number] for row in rows] for number in range(columns.width)]
    keys = [column for column in fields if all(map(_is_number, column))]
    names = [column for column in fields if _are_names(column)]
    if len(keys) != 1 or len(names) != 1 or len(set(map(int, keys[0]))) < len(rows):
        return {}
    return dict(zip(map(int, keys[0]), names[0], strict=True))


def _is_number(value: str) -> bool:
    """Returns whether a value is a whole number from 0."""
    return value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS


def _are_names(values: Sequence[str]) -> bool:
    """Returns whether the values can be names of classes, all different."""
    return (
        0 < len(values) == len(set(values))
        and not any(map(_is_number, values))
        and not any(label_problem(value, "") for value in values)
    )
