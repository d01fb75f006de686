"""The names of classes that a table gives numbers: `classes.txt`, `label_map.json`, `signnames.csv`, or the folders."""

from collections.abc import Collection, Sequence

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import label_problem
from sweep.datasets.problems import shown
from sweep.datasets.sources.images import Images
from sweep.datasets.sources.readers import Columns, read_columns
from sweep.datasets.sources.split_names import is_sample, words_of
from sweep.datasets.sources.table_files import table_names

WORDS = {"class", "classes", "label", "labels", "name", "names", "category", "categories", "signnames", "synset"}

MOST_DIGITS = 9  # of a label that is the number of a class
MOSTLY = 0.5  # of what are no names, but images


def class_names(
    tables: Sequence[Columns], images: Images, labels: Collection[str], folders: Collection[tuple[str, str]]
) -> tuple[dict[str, str], str, str]:
    """Returns the name of each label that is a number, the file that gives them, and a phrase that says so.

    Where no file does, the folders may; nothing where two files give others. A file that gives each number its name has
    a row a class; a mere list of names is counted from 0, or from 1 where no image has 0 and one has as many as there
    are names.

    Args:
      folders: each label with the name of a folder that has images of it.
    """
    numbers = {label: int(label) for label in labels if _is_number(label)}
    if len(numbers) < len(labels) or not labels:
        return {}, "", ""
    found = {}
    for columns in tables:
        stem = columns.file.rpartition("/")[2].rpartition(".")[0]
        if WORDS & {word for name in (stem, *(columns.header or ())) for word in words_of(name)}:
            given = _of_list(columns, set(numbers.values())) or _of_pairs(columns)
            if given.keys() >= set(numbers.values()) and images.rate([*given.values()]) < MOSTLY:
                found[columns.file] = {label: given[number] for label, number in numbers.items()}
    of_folders = dict(folders)
    if not found and len(of_folders) == len(folders) == len(labels) > 1 and _are_names([*of_folders.values()]):
        return of_folders, "", "classes: names of the folders"
    first = next(iter(found), "")
    if not found or any(names != found[first] for names in found.values()):
        return {}, "", ""
    return found[first], first, f"classes: names of {shown(first)}"


def numbers_of_names(
    tree: FileTree, images: Images, classes: Collection[str], cells: Collection[str]
) -> dict[str, str]:
    """Returns the number of each class by a file of the data, as name by number; nothing where two files differ.

    Args:
      cells: of a sample submission; where a list has the names alone, these tell whether it is counted from 0.
    """
    seen = {int(cell) for cell in cells if _is_number(cell)} or {0}
    are_names = not all(map(_is_number, classes))
    found: list[dict[int, str]] = []
    for file in table_names(tree):
        columns = read_columns(tree, file)
        if not isinstance(columns, Columns) or is_sample(file):
            continue
        given = _of_list(columns, seen) or _of_pairs(columns)
        is_whole = set(given.values()) >= set(classes) if are_names else given.keys() >= set(map(int, classes))
        if is_whole and images.rate([*given.values()]) < MOSTLY:
            found.append(given)
    first = found[0] if found and all(given == found[0] for given in found) else {}
    return {str(number): name for number, name in first.items()}


def _of_list(columns: Columns, numbers: set[int]) -> dict[int, str]:
    names = columns.column(0) if columns.width == 1 and not columns.header else []
    if not _are_names(names):
        return {}
    if 0 in numbers:
        return dict(enumerate(names))
    return dict(enumerate(names, 1)) if max(numbers) == len(names) else {}


def _of_pairs(columns: Columns) -> dict[int, str]:
    """Returns the name that stands beside each number, where no number has two and no name has two."""
    rows = columns.rows
    if columns.header is None and not any(field.isdigit() for field in (rows or [()])[0]):
        rows = rows[1:]  # the first is the header
    fields = [[row[number] for row in rows] for number in range(columns.width)]
    keys = [column for column in fields if all(map(_is_number, column))]
    names = [column for column in fields if _are_names(column)]
    if len(keys) != 1 or len(names) != 1 or len(set(map(int, keys[0]))) < len(rows):
        return {}
    return dict(zip(map(int, keys[0]), names[0], strict=True))


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS


def _are_names(values: Sequence[str]) -> bool:
    """Says whether these may be names of classes, each of one."""
    return (
        0 < len(values) == len(set(values))
        and not any(map(_is_number, values))
        and not any(label_problem(value, "") for value in values)
    )
