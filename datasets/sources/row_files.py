"""Chooses the files with images in their rows that make up one data set, without copies and other versions."""

from collections.abc import Sequence
from itertools import combinations

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import DataError, Findings, Problem, printable, shown
from sweep.datasets.sources.images import folder_of
from sweep.datasets.sources.split_words import split_of_container
from sweep.datasets.trees import Rows
from sweep.datasets.trees.npy import HEADER_BYTES, MAGIC
from sweep.storage.sweep_file import DataOptions
from sweep.storage.text import counted

COMPARED = 20  # images that are compared to recognise a copy


def belonging(tree: FileTree, tables: Sequence[Rows], options: DataOptions, findings: Findings) -> list[Rows]:
    """Returns the files that make up one data set, without copies.

    Raises:
      DataError: several files for training are versions of each other (such as the same images at another size) or have
        different columns, and no flag names one of them.
    """
    files: list[Rows] = []
    copies: list[tuple[Rows, Rows]] = []
    for rows in tables:
        if original := next((one for one in files if _is_copy(tree, rows, one)), None):
            copies.append((rows, original))
        else:
            files.append(rows)
    if copies:
        count = counted(len(copies), "file is a copy", "files are copies")
        first, original = copies[0]
        findings.notes.append(f"{count} and left out, first {shown(first.name)} of {shown(original.name)}.")
    splits = {rows.name: split_of_container(rows.name, options) or "train" for rows in files}
    path = (options.train or "").removeprefix("./").rstrip("/")
    if by_flag := [rows for rows in files if rows.name == path or rows.name.startswith(f"{path}/")]:
        forms = {_form(rows) for rows in by_flag}
        files = [rows for rows in files if splits[rows.name] != "train" or rows in by_flag or _form(rows) in forms]
        return [
            rows for rows in files if rows in by_flag or not any(_is_of_other_size(tree, rows, one) for one in by_flag)
        ]
    for one in files:
        sizes = [one, *(other for other in files if _is_of_other_size(tree, one, other))]
        if len(sizes) > 1 and splits[one.name] == "train":
            rule, got = "the same images must be there at one size only", ", ".join(shown(rows.name) for rows in sizes)
            way_out = (
                f"choose one, such as with --train {max(sizes, key=lambda rows: tree.files[_first_image(rows)]).name}"
            )
            raise DataError([Problem(f"{tree.path}/{printable(one.name)}", rule, got, way_out)])
    for one, other in combinations(files, 2):
        has_other_columns = splits[one.name] == splits[other.name] == "train" and set(one.columns) != set(other.columns)
        is_version = splits[one.name] == splits[other.name] and _name(one) == _name(other)
        if is_version:
            folders = f"{shown(folder_of(one.name) + '/')} and {shown(folder_of(other.name) + '/')}"
            rule, way_out = (
                "files of one split must not have the same name in two folders",
                "give one folder as the data",
            )
            raise DataError([Problem(tree.path, rule, f"{shown(_name(one))} in {folders}", way_out)])
        if has_other_columns:
            got = f"{shown(one.name)} and {shown(other.name)}, which have other columns"
            way_out = f"choose with --train {one.name} or --train {other.name}"
            first = min(one, other, key=lambda rows: split_of_container(rows.name, options) != "train")
            place = f"{tree.path}/{printable(first.name)}"
            raise DataError([Problem(place, "one table must be for training", got, way_out)])
    return files


def _name(rows: Rows) -> str:
    """Returns the name of the file, without its folder."""
    return rows.name.rpartition("/")[2]


def _form(rows: Rows) -> tuple[str, tuple[str, ...]]:
    """Returns the folder and the columns of a file; files in which these are equal belong together."""
    return folder_of(rows.name), tuple(rows.columns)


def _first_image(rows: Rows) -> str:
    """Returns the first image of a file."""
    return next(iter(rows.images.values()))[0]


def _is_of_other_size(tree: FileTree, rows: Rows, other: Rows) -> bool:
    """Returns whether two files have the same labels, row by row, for raw pixels of another shape."""
    images = (*rows.images.values(), *other.images.values())
    if rows.columns.keys() != other.columns.keys() or not all(map(len, images)):
        return False
    heads = {tree.head(_first_image(one), HEADER_BYTES) for one in (rows, other)}
    if len(heads) < 2 or not all(head.startswith(MAGIC) for head in heads):
        return False
    columns = [(rows.columns[name](), other.columns[name]()) for name in rows.columns]
    return any(len(set(one)) > 1 for one, _ in columns) and all([*one] == [*two] for one, two in columns)


def _is_copy(tree: FileTree, rows: Rows, other: Rows) -> bool:
    """Returns whether two files of the same name have the same rows, judged by their columns and some images."""
    if (
        _name(rows) != _name(other)
        or rows.columns.keys() != other.columns.keys()
        or rows.images.keys() != other.images.keys()
    ):
        return False
    pairs = [(rows.images[column], other.images[column]) for column in rows.images]
    if any(len(one) != len(two) for one, two in pairs):
        return False
    if any([*rows.columns[column]()] != [*other.columns[column]()] for column in rows.columns):
        return False
    samples = [(one[row], two[row]) for one, two in pairs for row in range(0, len(one), max(1, len(one) // COMPARED))]
    return all(tree.read(one) == tree.read(two) for one, two in samples)
