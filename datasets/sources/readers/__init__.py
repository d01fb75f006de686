"""Reads files that hold tables, as columns of text.

Each kind of file is a module here with a `READER`; to add one, add its line in `NAMES`. A reader says nothing about
what the columns mean, unless the format itself defines it.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from sweep.datasets.file_tree import FileTree
from sweep.datasets.mistaken import mistaken_for
from sweep.datasets.problems import Problem, printable

NAMES = ("coco", "json_rows", "json_lines", "separated", "parquet", "matlab")
MOST_BYTES = 256 << 20  # the largest table, because a table is read whole


@dataclass(frozen=True)
class Columns:
    """A table as it was written.

    Attributes:
      place: path shown in messages.
      file: its name in the tree.
      header: the names of its columns; None if the first row may be a header or an image.
      rows: the cells of each row, all of the same number.
      lines: the line, from 1, on which each row begins.
      problems: rows that cannot be read.
      encoding: the encoding of its text.
      id_column: number of the column that names the image, if the format defines it.
      label_column: number of the column with the label, if the format defines it.
      other_id_column: number of the column with another name of the image, if the format defines it.
      labels_separator: the text between labels, if the format itself gives an image several; None if no image has
        several or the format does not define it.
      unread: names of further columns, which hold neither text nor numbers.
      separator: the text between the cells of a text file; a comma for other formats.
    """

    place: str
    file: str
    header: tuple[str, ...] | None
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    problems: tuple[Problem, ...] = ()
    encoding: str = "utf-8"
    id_column: int | None = None
    label_column: int | None = None
    other_id_column: int | None = None
    labels_separator: str | None = None
    unread: tuple[str, ...] = ()
    separator: str = ","

    def column(self, number: int) -> list[str]:
        """Returns the cells of a column."""
        return [row[number] for row in self.rows]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.header) if self.header else max(map(len, self.rows), default=0)


@dataclass(frozen=True)
class Reader:
    """One kind of file that holds a table.

    Attributes:
      suffixes: the suffixes of such files, in lower case.
      read: takes the bytes of a file, its path for messages and its name in the tree; returns its table, or None if it
        holds none. Raises ValueError if the file is damaged.
    """

    suffixes: tuple[str, ...]
    read: Callable[[bytes, str, str], Columns | None]


def read_columns(tree: FileTree, file: str) -> Columns | Problem | None:
    """Returns the table in a file of the tree, the problem why it cannot be read, or None if it holds none."""
    place = f"{tree.path}/{printable(file)}"
    if not _fitting(file) or not 0 < tree.files[file] <= MOST_BYTES:
        return None
    try:
        return columns_in(tree.read(file), place, file)
    except ValueError as error:
        return Problem(place, f"table {error}", "", "fetch it again, or save it as UTF-8")


def columns_in(data: bytes, place: str, file: str) -> Columns | Problem | None:
    """Returns the table in the bytes of a file, the problem why it cannot be read, or None if it holds none."""
    try:
        if mistaken := mistaken_for(data):
            return Problem(place, "a table must have rows", *mistaken)
        for reader in _fitting(file):
            if columns := reader.read(data, place, file):
                return columns
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        way_out = f"save it as UTF-8: iconv -f GBK -t UTF-8 {shlex.quote(file)} for Chinese text, -f CP1251 for Russian"
        return Problem(f"{place}:{line}", "text must be UTF-8", f"byte 0x{data[error.start]:02x}", way_out)
    except ValueError as error:
        return Problem(place, f"table {error}", "", "fetch it again, or save it as UTF-8")
    return None


def _fitting(file: str) -> list[Reader]:
    """Returns the readers for files with this suffix."""
    readers: list[Reader] = [import_module(f"sweep.datasets.sources.readers.{name}").READER for name in NAMES]
    return [reader for reader in readers if file.lower().endswith(reader.suffixes)]
