"""The files that hold tables, as columns: a file a kind, each with a `READER`; to add one, add its line in `NAMES`.

A reader says nothing of what the columns mean, unless its kind does.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from sweep.datasets.file_tree import FileTree
from sweep.datasets.mistaken import mistaken_for
from sweep.datasets.problems import Problem, printable

NAMES = ("coco", "json_rows", "json_lines", "separated", "parquet", "matlab")
MOST_BYTES = 256 << 20  # of a table, which is read whole


@dataclass(frozen=True)
class Columns:
    """A table as it was written.

    Attributes:
      place: path shown in messages.
      file: its name in the tree.
      header: the names of its columns; None where the first row may be one, or an image.
      rows: as many fields in each.
      lines: the line, from 1, on which each row stands.
      problems: rows that cannot be read.
      encoding: of its text.
      id_column, label_column, other_id_column: where the kind itself says which column names the image, which is its
        label, and which is another name of it.
      labels_separator: what stands between the labels of an image that the kind itself gives several; None where no
        image has several, or the kind does not know.
      unread: further columns, which hold neither texts nor numbers.
      separator: stands between the cells of a text; a comma of any other kind.
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
        return [row[number] for row in self.rows]

    @property
    def width(self) -> int:
        return len(self.header) if self.header else max(map(len, self.rows), default=0)


@dataclass(frozen=True)
class Reader:
    """One kind of file that holds a table.

    Attributes:
      suffixes: of its files.
      read: returns the table of a file's bytes, or None where it holds none; it is given the place and the name, too.
    """

    suffixes: tuple[str, ...]
    read: Callable[[bytes, str, str], Columns | None]


def read_columns(tree: FileTree, file: str) -> Columns | Problem | None:
    """Returns the table in a file of the tree, why it cannot be read, or None where it holds none."""
    place = f"{tree.path}/{printable(file)}"
    if not _fitting(file) or not 0 < tree.files[file] <= MOST_BYTES:
        return None
    try:
        return columns_in(tree.read(file), place, file)
    except ValueError as error:
        return Problem(place, f"table {error}", "", "fetch it again, or save it as UTF-8")


def columns_in(data: bytes, place: str, file: str) -> Columns | Problem | None:
    """Returns the table in the bytes of a file, why it cannot be read, or None where it holds none."""
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
    """Returns the readers of files with such a suffix."""
    readers: list[Reader] = [import_module(f"sweep.datasets.sources.readers.{name}").READER for name in NAMES]
    return [reader for reader in readers if file.lower().endswith(reader.suffixes)]
