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
SURE, LIKELY, A_CHOICE, NO_LABEL = range(4)  # how much a table alone says about labels, from most to least
SUFFIX = re.compile(r"\.[A-Za-z]\w{1,4}$")


def with_roles(
    files: Sequence[TableFile], images: Images, options: DataOptions, sample_names: Sequence[str]
) -> tuple[list[TableFile], list[Problem]]:
    """Returns the tables that name images, with the roles of their columns, and the problems of the other tables.

    A table gets the columns of other tables with the same images, or with the same numbers of images, as in
    CUB-200-2011.

    Args:
      files: all tables.
      images: the images of the data set.
      options: the flags.
      sample_names: the columns of the sample submission, without the ids.
    """
    tables = [replace(file, columns=_separate_header(file.columns, images, options)) for file in files]
    roles = [
        find_roles(table.columns, images, options, sample_names, table.split in ("validation", "test"))
        for table in tables
    ]
    ranks = [_rank(find_roles(table.columns, images, options, sample_names, False), table) for table in tables]
    ids = [image_column(table.columns, images, options) for table in tables]
    ranks = [min(rank, _rank_of_train(index, tables, ids, ranks)) for index, rank in enumerate(ranks)]
    problems, results, joined_indices = list[Problem](), list[TableFile](), set[int]()
    for index in sorted(range(len(tables)), key=lambda index: (ranks[index], index)):
        number, table, table_roles = ids[index], tables[index], roles[index]
        if index in joined_indices or not isinstance(number, int) or table_roles is None:
            problems += [table_roles] if isinstance(table_roles, Problem) and index not in joined_indices else []
            continue
        partners = []
        for other in range(len(tables)):
            is_free = other != index and other not in joined_indices and tables[other].split in (None, table.split)
            is_rival = isinstance(ids[other], int) and max(ranks[other], ranks[index]) <= LIKELY
            if (
                is_free
                and not is_rival
                and (pair := _key_columns(table, number, ranks[index], tables[other], ids[other], images))
            ):
                partners.append((other, pair))
        if partners:
            is_own = ranks[index] == SURE or all(ranks[other] != A_CHOICE for other, _ in partners)
            own_width = table.columns.width if is_own and ranks[index] <= LIKELY else None
            table = _join(table, [(tables[other], *pair) for other, pair in partners])
            joined_indices |= {other for other, _ in partners if tables[other].split == table.split}
            is_test = table.split in ("validation", "test")
            table_roles = find_roles(table.columns, images, options, sample_names, is_test, number, own_width)
        if isinstance(table_roles, Problem):
            problems.append(table_roles)
        elif table_roles is not None:
            results.append(replace(table, roles=table_roles))
    return [each for file in files for each in results if each.file == file.file], problems


def _separate_header(columns: Columns, images: Images, options: DataOptions) -> Columns:
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
    index: int, tables: Sequence[TableFile], ids: Sequence[int | Problem | None], ranks: Sequence[int]
) -> int:
    """Returns the rank of the train table of the same form, because a few rows may not show that a table has labels."""
    if tables[index].split not in ("validation", "test"):
        return NO_LABEL
    forms = [(table.columns.header, table.columns.width, number) for table, number in zip(tables, ids, strict=True)]
    train_tables = (
        other for other, table in enumerate(tables) if table.split == "train" and forms[other] == forms[index]
    )
    return min((ranks[other] for other in train_tables), default=NO_LABEL)


def _are_of_other_folders(table: TableFile, number: int, other: TableFile, images: Images) -> bool:
    """Returns whether two tables lie in different folders that contain images of the same names."""
    names = table.columns.column(number)[:1]
    return folder_of(table.file) != folder_of(other.file) and any(len(images.named(name)) > 1 for name in names)


def _keys(values: Iterable[str]) -> list[str]:
    """Returns names of images without suffix, so that `a.png` and `a` are equal."""
    return [SUFFIX.sub("", value.replace("\\", "/").removeprefix("./")) for value in values]


def _key_columns(
    table: TableFile, number: int, rank: int, other: TableFile, id_of_other: int | Problem | None, images: Images
) -> tuple[int, int] | None:
    """Returns the columns by which the rows of two tables belong together, one of each table; None if there are none.

    A table without labels may take them from one that has more images. Columns that do not name images must hold the
    same values in both tables.
    """
    if other.columns.width < 2 or _are_of_other_folders(table, number, other, images):
        return None
    for other_number in range(other.columns.width):
        other_values = _keys(other.columns.column(other_number))
        if len(set(other_values)) < len(other_values):
            continue
        for own_number in dict.fromkeys((number, *range(table.columns.width))):
            own_values = set(_keys(table.columns.column(own_number)))
            shared_count = len(own_values & set(other_values))
            if own_number == number and other_number == id_of_other:
                is_same = shared_count >= COVERED * len(other_values) or (rank == NO_LABEL and other.split is None)
                if shared_count >= COVERED * len(own_values) and is_same:
                    return own_number, other_number
            elif len(own_values) == len(table.columns.rows) and own_values == set(other_values):
                return own_number, other_number
    return None


def _join(table: TableFile, others: Sequence[tuple[TableFile, int, int]]) -> TableFile:
    """Returns the table with the columns of the others added; a cell is empty if the other table lacks the image.

    Args:
      table: the table that names the images.
      others: each other table, with the columns of `table` and of the other by which their rows belong together.
    """
    names, rows = list(_names(table.columns, "column")), [list(row) for row in table.columns.rows]
    for other, own_number, other_number in others:
        columns = other.columns
        stem = other.file.rpartition("/")[2].rpartition(".")[0]
        # so that the tables of all splits get the same names of columns
        stem = without_split(stem) if split_in(stem) else stem
        new_numbers = [number for number in range(columns.width) if number != other_number]
        other_names = _names(columns, stem)
        for number in new_numbers:
            name = stem if len(new_numbers) == 1 and not columns.header else other_names[number]
            names.append(f"{stem} {name}" if name in names else name)
        by_key = dict(zip(_keys(columns.column(other_number)), columns.rows, strict=True))
        for row, key in zip(rows, _keys(table.columns.column(own_number)), strict=True):
            row += [by_key[key][number] if key in by_key else "" for number in new_numbers]
    columns = replace(table.columns, header=tuple(names), rows=tuple(map(tuple, rows)))
    return replace(table, columns=columns, partners=tuple(other.file for other, _, _ in others))


def _names(columns: Columns, word: str) -> tuple[str, ...]:
    """Returns the header; without one, names made of a word and a number."""
    return columns.header or tuple(f"{word} {number}" for number in range(1, columns.width + 1))
