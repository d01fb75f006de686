"""Joins tables about the same images: a list of splits, patients or labels belongs to the list of images."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sweep.datasets.problems import Problem
from sweep.datasets.sources.folders import without_split
from sweep.datasets.sources.images import Images, folder_of
from sweep.datasets.sources.readers import Columns
from sweep.datasets.sources.roles import Roles, find_roles, image_column, with_header
from sweep.datasets.sources.split_names import split_in
from sweep.datasets.sources.table_files import TableFile
from sweep.storage.sweep_file import DataOptions

COVERED = 0.95  # the share of a table's images that the other table must have
SURE, LIKELY, A_CHOICE, NO_LABEL = range(4)  # how much a table alone says about labels, the most first
SUFFIX = re.compile(r"\.[A-Za-z]\w{1,4}$")


def with_roles(
    files: Sequence[TableFile], images: Images, options: DataOptions, sample_names: Sequence[str]
) -> tuple[list[TableFile], list[Problem]]:
    """Returns the tables that name images, with the roles of their columns, and the problems of the others.

    A table gets the columns of other tables with the same images, or with the same numbers of images, as in
    CUB-200-2011.

    Args:
      files: all tables.
      images: the images of the data set.
      options: the flags.
      sample_names: the columns of the sample submission, without the ids.
    """
    tables = [replace(file, columns=_named(file.columns, images, options)) for file in files]
    roles = [
        find_roles(table.columns, images, options, sample_names, table.split in ("validation", "test"))
        for table in tables
    ]
    ranks = [_rank(find_roles(table.columns, images, options, sample_names, False), table) for table in tables]
    ids = [image_column(table.columns, images, options) for table in tables]
    ranks = [min(rank, _rank_of_train(at, tables, ids, ranks)) for at, rank in enumerate(ranks)]
    problems, done, taken = list[Problem](), list[TableFile](), set[int]()
    for at in sorted(range(len(tables)), key=lambda at: (ranks[at], at)):
        number, table, found = ids[at], tables[at], roles[at]
        if at in taken or not isinstance(number, int) or found is None:
            problems += [found] if isinstance(found, Problem) and at not in taken else []
            continue
        partners = []
        for other in range(len(tables)):
            is_free = other != at and other not in taken and tables[other].split in (None, table.split)
            is_rival = isinstance(ids[other], int) and max(ranks[other], ranks[at]) <= LIKELY
            if is_free and not is_rival and (pair := _key(table, number, ranks[at], tables[other], ids[other], images)):
                partners.append((other, pair))
        if partners:
            is_own = ranks[at] == SURE or all(ranks[other] != A_CHOICE for other, _ in partners)
            own = table.columns.width if is_own and ranks[at] <= LIKELY else None
            table = _joined(table, [(tables[other], *pair) for other, pair in partners])
            taken |= {other for other, _ in partners if tables[other].split == table.split}
            is_test = table.split in ("validation", "test")
            found = find_roles(table.columns, images, options, sample_names, is_test, number, own)
        if isinstance(found, Problem):
            problems.append(found)
        elif found is not None:
            done.append(replace(table, roles=found))
    return [each for file in files for each in done if each.file == file.file], problems


def _named(columns: Columns, images: Images, options: DataOptions) -> Columns:
    """Returns the table with its header separated from its rows, if it has one."""
    return with_header(columns, images, options)[0]


def _rank(roles: Roles | Problem | None, table: TableFile) -> int:
    """Returns how much a table alone says about labels."""
    if not isinstance(roles, Roles):
        return A_CHOICE if roles else NO_LABEL
    if roles.one_hot or (roles.label is not None and roles.is_sure and table.columns.header):
        return SURE
    return LIKELY if roles.label is not None else NO_LABEL


def _rank_of_train(
    at: int, tables: Sequence[TableFile], ids: Sequence[int | Problem | None], ranks: Sequence[int]
) -> int:
    """Returns how much the train table of the same form says, because a few rows may not show that they have labels."""
    if tables[at].split not in ("validation", "test"):
        return NO_LABEL
    forms = [(table.columns.header, table.columns.width, number) for table, number in zip(tables, ids, strict=True)]
    of_train = (other for other, table in enumerate(tables) if table.split == "train" and forms[other] == forms[at])
    return min((ranks[other] for other in of_train), default=NO_LABEL)


def _are_of_other_folders(table: TableFile, number: int, other: TableFile, images: Images) -> bool:
    """Returns whether two tables lie in different folders that contain images of the same names."""
    names = table.columns.column(number)[:1]
    return folder_of(table.file) != folder_of(other.file) and any(len(images.named(name)) > 1 for name in names)


def _keys(values: Iterable[str]) -> list[str]:
    """Returns names of images without suffix, so that `a.png` and `a` are equal."""
    return [SUFFIX.sub("", value.replace("\\", "/").removeprefix("./")) for value in values]


def _key(
    table: TableFile, number: int, rank: int, other: TableFile, id_of_other: int | Problem | None, images: Images
) -> tuple[int, int] | None:
    """Returns the columns by which the rows of two tables belong together, one of each table; None if there are none.

    A table without labels may take them from one that has more images. Columns that do not name images must hold the
    same values in both tables.
    """
    if other.columns.width < 2 or _are_of_other_folders(table, number, other, images):
        return None
    for theirs in range(other.columns.width):
        values = _keys(other.columns.column(theirs))
        if len(set(values)) < len(values):
            continue
        for ours in dict.fromkeys((number, *range(table.columns.width))):
            own = set(_keys(table.columns.column(ours)))
            shared = len(own & set(values))
            if ours == number and theirs == id_of_other:
                is_same = shared >= COVERED * len(values) or (rank == NO_LABEL and other.split is None)
                if shared >= COVERED * len(own) and is_same:
                    return ours, theirs
            elif len(own) == len(table.columns.rows) and own == set(values):
                return ours, theirs
    return None


def _joined(table: TableFile, others: Sequence[tuple[TableFile, int, int]]) -> TableFile:
    """Returns the table with the columns of the others added; a cell is empty if the other table lacks the image.

    Args:
      table: the table that names the images.
      others: each other table, with the columns of `table` and of the other by which their rows belong together.
    """
    names, rows = list(_names(table.columns, "column")), [list(row) for row in table.columns.rows]
    for other, ours, theirs in others:
        columns = other.columns
        stem = other.file.rpartition("/")[2].rpartition(".")[0]
        # so that the tables of all splits get the same names of columns
        stem = without_split(stem) if split_in(stem) else stem
        added = [number for number in range(columns.width) if number != theirs]
        given = _names(columns, stem)
        for number in added:
            name = stem if len(added) == 1 and not columns.header else given[number]
            names.append(f"{stem} {name}" if name in names else name)
        by_key = dict(zip(_keys(columns.column(theirs)), columns.rows, strict=True))
        for row, key in zip(rows, _keys(table.columns.column(ours)), strict=True):
            row += [by_key[key][number] if key in by_key else "" for number in added]
    columns = replace(table.columns, header=tuple(names), rows=tuple(map(tuple, rows)))
    return replace(table, columns=columns, partners=tuple(other.file for other, _, _ in others))


def _names(columns: Columns, word: str) -> tuple[str, ...]:
    """Returns the header; without one, names made of a word and a number."""
    return columns.header or tuple(f"{word} {number}" for number in range(1, columns.width + 1))
