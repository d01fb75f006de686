"""What the files of a data set lie in: folders, archives, and containers whose rows hold images.

`datasets/file_tree.py` makes one tree of them. A kind of container is a file `datasets/trees/NAME.py`, which holds a
`KIND`, and a line in `NAMES`. What is opened is a `Store`: names, and their bytes. Nothing here decodes an image: the
bytes of a name are an encoded image, or those of a `.npy` file where the container holds raw pixels.
"""

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import overload

from sweep.datasets.listing_rules.rules import Rules
from sweep.datasets.problems import printable
from sweep.datasets.trees.regions import Held, Region

NAMES = ("zips", "tars", "gzips", "idx", "npz", "parquet", "pixel_columns", "hdf5", "mat")

BROKEN = (  # what libraries raise of files that are not whole
    *(OSError, ValueError, EOFError, NotImplementedError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
HEAD_BYTES = 16  # by which an image is known

# Why something that is there is not read, and how a count of such things is said: of one, of more.
LEAVES_FOLDER = "is a link that leaves the folder"
TO_A_FOLDER = "is a link to no file (to a folder)"
TO_NOTHING = "is a link to no file (to itself or to nothing)"
IN_ZIP = "is a link"
NO_FILE = "is no regular file (a pipe or a device)"
OTHER_PACKING = "is packed in another way than deflate"
COUNTED = {
    LEAVES_FOLDER: ("link out of the folder", "links out of the folder"),
    TO_A_FOLDER: ("link to a folder", "links to a folder"),
    TO_NOTHING: ("broken link", "broken links"),
    IN_ZIP: ("link in the .zip", "links in the .zip"),
    NO_FILE: ("pipe or device", "pipes or devices"),
    OTHER_PACKING: ("file packed in another way than deflate", "files packed in another way than deflate"),
}


class Store:
    """Names and their bytes; several threads may read at once.

    Attributes:
      files: bytes of each file by its name, `/` between the parts; the tree takes them over.
      folders: names of the folders.
      refused: why, by name, for what is there but is not read, one of `COUNTED`.
      tables: its rows, where a row holds an image and what is known of it.
      arrays: its arrays, where images and labels stand in arrays of their own.
      notes: what a person should know, a sentence each.
      has_rows: its files are images in rows; their sizes are estimates.
    """

    has_rows = False

    def __init__(self) -> None:
        self.files: Mapping[str, int] = {}
        self.folders: set[str] = set()
        self.refused: dict[str, str] = {}
        self.tables: list[Rows] = []
        self.arrays: list[NamedArray] = []
        self.notes: list[str] = []

    def read(self, name: str, count: int) -> bytes:
        """Returns so many bytes of one of `files` or one more, or as many as it has."""
        raise NotImplementedError

    def region(self, name: str) -> Region:
        """Returns one of `files` to be read at any place; ValueError where it is no file of its own."""
        raise ValueError("no file of its own")

    def close(self) -> None:
        """Lets go of what is open."""


@dataclass(frozen=True)
class Rows:
    """A table in a container: images in its rows, and what else stands there.

    Attributes:
      name: the container's.
      images: for each column of images the name of each row's image in the tree.
      columns: reads each other column: a value a row as text, empty where it is missing; ValueError where it cannot be.
      classes: for each column of numbers that stand for names, these names.
      several: columns that hold several values a row.
    """

    name: str
    images: dict[str, "RowNames"]
    columns: dict[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    several: tuple[str, ...] = ()

    def under(self, container: str) -> "Rows":
        """Returns the table with names in the tree."""
        images = {column: names.under(container) for column, names in self.images.items()}
        return replace(self, name=container, images=images)


@dataclass(frozen=True)
class NamedArray:
    """An array in a container: an image a row, or a value a row.

    Attributes:
      name: the container's and, behind a slash, its own where the container holds several.
      images: the name of each row's image in the tree; None where its rows are no images.
      values: reads the rows as text, or raises ValueError; None where a row is more than a value.
      why_not: why its rows are not read, after "is not read: "; empty where they are.
    """

    name: str
    shape: tuple[int, ...]
    images: "RowNames | None" = None
    values: Callable[[], Sequence[str]] | None = None
    why_not: str = ""

    def under(self, container: str) -> "NamedArray":
        """Returns the array with names in the tree."""
        name = f"{container}/{self.name}" if self.name else container
        return replace(self, name=name, images=self.images and self.images.under(container))


@dataclass(frozen=True)
class RowNames(Sequence[str]):
    """The names of images in the rows of a container: numbers, so long that they sort as the rows do.

    Attributes:
      folder: what the names begin with, before a slash; empty for none.
    """

    folder: str
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(self.length))]
        if not -self.length <= row < self.length:
            raise IndexError(row)
        digits = f"{row % self.length:0{len(str(self.length - 1))}d}"
        return f"{self.folder}/{digits}" if self.folder else digits

    def under(self, container: str) -> "RowNames":
        return replace(self, folder=f"{container}/{self.folder}" if self.folder else container)


@dataclass(frozen=True)
class Opening:
    """What a container is opened with.

    Attributes:
      region: its bytes.
      place: the container, for messages.
      stem: its name without folders and without its last suffix.
      rules: by which names are read.
      identity: tells its bytes from all others: an unpacked copy is known by it.
      keeps: an unpacked copy may be kept for the next start.
      held: where what stays open is noted.
      announce: is told what takes long, a sentence, before it begins.
    """

    region: Region
    place: str
    stem: str
    rules: Rules
    identity: str
    keeps: bool
    held: Held
    announce: Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """One kind of container.

    Attributes:
      noun: what messages call it.
      is_one: says by the name, in small letters, and by a function that returns the first bytes whether a file is one.
      store_of: opens it; returns None where it holds no images in rows, and is a file like others. It raises
        DataError, or one of `BROKEN` where it is not whole.
      is_packed: it holds files as they were before they were packed, whatever they are.
      is_archive: they have names of their own.
    """

    noun: str
    is_one: Callable[[str, Callable[[], bytes]], bool]
    store_of: Callable[[Opening], Store | None]
    is_packed: bool = False
    is_archive: bool = False


class PixelsError(ValueError):
    """A row of a container holds no pixels that can be used.

    Args:
      way_out: what to do about the container.
    """

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.way_out = way_out


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Turns what a library raises of a damaged file into ValueError."""
    try:
        yield
    except (*BROKEN, LookupError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        # Its words may quote bytes of the file.
        raise ValueError(printable(" ".join(str(error).split())) or type(error).__name__) from error


def kind_of(name: str, head: Callable[[], bytes]) -> Kind | None:
    """Returns the kind of container that a file is; None where it is none.

    Args:
      head: returns its first bytes.
    """
    lower = name.lower()
    return next((kind for kind in _kinds() if kind.is_one(lower, head)), None)


@cache
def _kinds() -> tuple[Kind, ...]:
    return tuple(import_module(f"sweep.datasets.trees.{module}").KIND for module in NAMES)
