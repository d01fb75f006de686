"""The places in which the files of a data set lie: folders, archives, and containers whose rows hold images.

`datasets/file_tree.py` combines them into one tree. A kind of container is a file `datasets/trees/NAME.py` that defines
a `KIND`, and a line in `NAMES`. An opened container is a `Store`, which has names and their bytes. Nothing here decodes
an image: the bytes of a name are an encoded image, or a `.npy` file if the container holds raw pixels.
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
from sweep.datasets.trees.regions import OpenFiles, Region

NAMES = ("zips", "tars", "gzips", "idx", "npz", "parquet", "pixel_columns", "hdf5", "mat")

BROKEN = (  # what libraries raise for files that are not whole
    *(OSError, ValueError, EOFError, NotImplementedError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
HEAD_BYTES = 16  # the first bytes, by which an image is recognised

# The reasons why something is not read, and the nouns for one such thing and for several.
LEAVES_FOLDER = "is a link that leaves the folder"
TO_A_FOLDER = "is a link to no file (to a folder)"
TO_NOTHING = "is a link to no file (to itself or to nothing)"
IN_ARCHIVE = "is a link"
NO_FILE = "is no regular file (a pipe or a device)"
OTHER_PACKING = "is packed in another way than deflate"
COUNTED = {
    LEAVES_FOLDER: ("link out of the folder", "links out of the folder"),
    TO_A_FOLDER: ("link to a folder", "links to a folder"),
    TO_NOTHING: ("broken link", "broken links"),
    IN_ARCHIVE: ("link in an archive", "links in an archive"),
    NO_FILE: ("pipe or device", "pipes or devices"),
    OTHER_PACKING: ("file packed in another way than deflate", "files packed in another way than deflate"),
}


class Store:
    """Names of files and their bytes; several threads may read at once.

    Attributes:
      files: the size in bytes of each file by its name, with `/` between the parts; the tree takes this mapping over.
      folders: names of the folders.
      refused: by name, why something that exists is not read; the reason is one of `COUNTED`.
      tables: its rows, if each holds an image and other values.
      arrays: its arrays, if images and labels are arrays of their own.
      notes: what the user should know, a sentence each.
      has_rows: True if its files are images in rows, so that their sizes are estimates.
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
        """Returns at least the first `count` bytes of one of `files`, or all if it has fewer.

        A store may return one byte more, which shows that the file is longer than it was listed.
        """
        raise NotImplementedError

    def region(self, name: str) -> Region:
        """Returns one of `files` as a region that can be read at any place.

        Raises:
          ValueError: it is not a file of its own.
        """
        raise ValueError("no file of its own")

    def close(self) -> None:
        """Closes what is open."""


@dataclass(frozen=True)
class Rows:
    """A table in a container: images in its rows, and columns of other values.

    Attributes:
      name: the name of the container.
      images: for each column of images, the name of each row's image in the tree.
      columns: for each other column a function that reads it as text, one value for each row, empty if missing. It
        raises ValueError if the column cannot be read.
      classes: for each column whose numbers are indices of names, these names.
      several: names of columns that hold several values in a row.
    """

    name: str
    images: dict[str, "RowNames"]
    columns: dict[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    several: tuple[str, ...] = ()

    def inside(self, container: str) -> "Rows":
        """Returns the table with the name of its container in the tree."""
        images = {column: names.inside(container) for column, names in self.images.items()}
        return replace(self, name=container, images=images)


@dataclass(frozen=True)
class NamedArray:
    """An array in a container, whose rows are images or values.

    Attributes:
      name: the name of the container, followed by `/` and the array's own name if the container holds several.
      shape: its shape; the first axis counts the rows.
      images: the name of each row's image in the tree; None if its rows are not images.
      values: reads the rows as text, or raises ValueError; None if a row is more than one value.
      why_not: the reason why its rows cannot be read, as a clause that may end with `; ` and what to do; empty if they
        can be read.
    """

    name: str
    shape: tuple[int, ...]
    images: "RowNames | None" = None
    values: Callable[[], Sequence[str]] | None = None
    why_not: str = ""

    def inside(self, container: str) -> "NamedArray":
        """Returns the array with the name of its container in the tree."""
        name = f"{container}/{self.name}" if self.name else container
        return replace(self, name=name, images=self.images and self.images.inside(container))


@dataclass(frozen=True)
class RowNames(Sequence[str]):
    """The names of images in the rows of a container: numbers with leading zeros, so that they sort like the rows.

    Attributes:
      folder: the beginning of each name, before a slash; empty for none.
      length: the number of rows.
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

    def inside(self, container: str) -> "RowNames":
        """Returns the names with the name of their container before them."""
        return replace(self, folder=f"{container}/{self.folder}" if self.folder else container)


@dataclass(frozen=True)
class Opening:
    """The arguments with which a container is opened.

    Attributes:
      region: its bytes.
      place: its path, for messages.
      stem: its name without folders and without its last suffix.
      rules: the listing rules, which say how names are read.
      identity: a text that differs for any other content; an unpacked copy is recognised by it.
      keeps: an unpacked copy may be kept for the next start.
      open_files: keeps track of everything that stays open.
      announce: called with a sentence before work that takes long.
    """

    region: Region
    place: str
    stem: str
    rules: Rules
    identity: str
    keeps: bool
    open_files: OpenFiles
    announce: Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """One kind of container.

    Attributes:
      noun: its name in messages.
      is_one: takes the name of a file in lower case and a function that returns its first bytes; returns whether the
        file is of this kind.
      store_of: opens it; returns None if it holds no images in rows, so that it is a file like any other. It raises
        DataError, or one of `BROKEN` if the container is not whole.
      is_packed: it holds packed files of any kind.
      is_archive: the files in it have names of their own.
    """

    noun: str
    is_one: Callable[[str, Callable[[], bytes]], bool]
    store_of: Callable[[Opening], Store | None]
    is_packed: bool = False
    is_archive: bool = False


class PixelsError(ValueError):
    """The error that a row of a container holds no usable pixels.

    Args:
      message: what it holds instead.
      way_out: what the user can do about the container.
    """

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.way_out = way_out


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Turns errors that a library raises for a damaged file into ValueError."""
    try:
        yield
    except (*BROKEN, LookupError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        # The message may quote bytes of the file, which must be made printable.
        raise ValueError(printable(" ".join(str(error).split())) or type(error).__name__) from error


def kind_of(name: str, head: Callable[[], bytes]) -> Kind | None:
    """Returns the kind of container that a file is; None if it is not a container.

    Args:
      name: the name of the file.
      head: returns its first bytes.
    """
    lower = name.lower()
    return next((kind for kind in _kinds() if kind.is_one(lower, head)), None)


@cache
def _kinds() -> tuple[Kind, ...]:
    return tuple(import_module(f"sweep.datasets.trees.{module}").KIND for module in NAMES)
