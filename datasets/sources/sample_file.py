"""Finds the file of the sample submission: the one that `--submission` names, or one in the data with such a name."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Problem
from sweep.datasets.sources.images import Images
from sweep.datasets.sources.readers import Columns, columns_in, read_columns
from sweep.datasets.sources.split_names import is_sample
from sweep.datasets.sources.table_files import SUFFIXES
from sweep.storage.files import check_regular
from sweep.storage.sweep_file import DataOptions

INDEX_NAMES = ("", "unnamed: 0", "index", "idx", "#")
NUMBER = re.compile(r"[+-]?\d*\.?\d+(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class SampleFile:
    """A sample submission as it was written.

    Attributes:
      columns: its cells, with the header separated; a problem if it cannot be read.
      file: its name in the tree; empty if it lies elsewhere.
    """

    columns: Columns | Problem
    file: str

    @property
    def indices(self) -> list[int]:
        """The columns that merely number the rows, as pandas writes them beside the others."""
        if isinstance(self.columns, Problem) or self.columns.width < 3:
            return []
        header = self.columns.header or [""] * self.columns.width
        candidates = [number for number, name in enumerate(header) if name.lower() in INDEX_NAMES]
        return [number for number in candidates if counts_up(self.columns.column(number))]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns to predict, which follow the ids; empty if there is no header."""
        if isinstance(self.columns, Problem):
            return ()
        names = [name for number, name in enumerate(self.columns.header or ()) if number not in self.indices]
        return tuple(names[1:])

    @property
    def ids(self) -> list[set[str]]:
        """The values of each column in which all rows differ; one of these columns holds the ids."""
        if isinstance(self.columns, Problem):
            return []
        columns = [set(self.columns.column(number)) for number in range(self.columns.width)]
        return [values for values in columns if len(values) == len(self.columns.rows)]


def counts_up(cells: Sequence[str]) -> bool:
    """Returns whether the cells are the numbers of the rows, from 0 or from 1."""
    return any([*cells] == [str(number + first) for number in range(len(cells))] for first in (0, 1))


def find_sample(tree: FileTree, options: DataOptions, images: Images) -> SampleFile | None:
    """Returns the sample submission of a data set; None if there is none."""
    if options.submission is not None:
        return _named_sample(tree, options.submission, images)
    files = [name for name in tree.visible if name.lower().endswith(SUFFIXES) and is_sample(name)]
    columns = read_columns(tree, files[0]) if files else None
    if columns is None:
        return None
    return SampleFile(columns if isinstance(columns, Problem) else _separate_header(columns, images), files[0])


def _named_sample(tree: FileTree, path: str, images: Images) -> SampleFile:
    """Returns the sample that `--submission` names: a file, or the name of one in the data."""
    place = f"--submission {path}"
    file = os.path.relpath(os.path.realpath(path), os.path.realpath(tree.path))
    file = path if not os.path.exists(path) and path in tree.files else file
    columns: Columns | Problem | None
    if file in tree.files:
        columns = read_columns(tree, file)
    else:
        file = ""
        try:
            check_regular(Path(path))
            columns = columns_in(Path(path).read_bytes(), path, Path(path).name)
        except (OSError, ValueError):
            columns = Problem(place, "must be a file", "nothing that can be read there", "check the path")
    if columns is None:
        columns = Problem(
            place, "must be a table with a row an image", "none", f"give one of {', '.join(SUFFIXES[:4])}"
        )
    return SampleFile(columns if isinstance(columns, Problem) else _separate_header(columns, images), file)


def _separate_header(columns: Columns, images: Images) -> Columns:
    """Returns the columns with the header separated.

    A first row that names an image, or holds only numbers, is not a header.
    """
    first = columns.rows[0] if columns.rows else ()
    is_row = any(images.named(field) for field in first) or all(NUMBER.fullmatch(field) for field in first)
    if columns.header or is_row:
        return columns
    return replace(columns, header=first, rows=columns.rows[1:], lines=columns.lines[1:])
