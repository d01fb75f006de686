"""Where a sweep lies, behind one object: a folder of this machine, or a bucket, of which a process works on a copy.

Whoever opens a sweep's place gets the path of its folder, and every path made from it knows the same store, as the
paths of cloudpathlib know their client. `storage.files` writes through the store of the path that it is given, so
what is written whole is in the bucket before the write returns.

This file has the contract and the files of this machine; every other kind of store is a file of its own, and
`storage.bucket.open_place` chooses it by the scheme of an address.
"""

from pathlib import Path, PosixPath
from typing import ClassVar


class Store:
    """The files of this machine, which are where they are: nothing has to be fetched, put or removed elsewhere.

    A subclass is another place, whose files have copies here.
    """

    def fetch(self, folder: Path, whole: bool = True) -> None:
        """Makes the copy of a folder what the store has of it.

        Args:
          whole: with all that is below it; else no more than the folder's own files.

        Raises:
          OSError: the store cannot be read.
        """

    def fetch_content(self, path: Path) -> None:
        """Fetches a file that `fetch` has left empty; does nothing where it is none of these.

        Raises:
          FileNotFoundError: the store does not have it any more.
          OSError: the store cannot be read.
        """

    def put(self, content: Path, path: Path) -> None:
        """Makes a file's content that of `path` in the store, whole or not at all.

        Raises:
          OSError: the store cannot be written.
        """

    def delete(self, path: Path) -> None:
        """Removes a file from the store, or a folder with all in it.

        Raises:
          OSError: the store cannot be written.
        """

    def move(self, path: Path, target: Path) -> None:
        """Moves a file or folder in the store as it is about to be moved here; leaves out what has gone meanwhile.

        Raises:
          OSError: the store cannot be written; what was there is there.
        """

    def shown(self, text: str) -> str:
        """Returns a text for people, with addresses in the place of the paths of their copies.

        Our own messages have addresses already; those of the operating system do not.
        """
        return text

    def close(self) -> None:
        """Removes the copies. The store is not to be used any more."""


LOCAL = Store()


class StoredPath(PosixPath):
    """A path in the copy of a store, which it knows; in a formatted text it is its address.

    Each store makes a subclass of its own, because a path is made from another by the class alone. `str` and
    `os.fspath` give the path of the copy, by which the file is opened.
    """

    store: ClassVar[Store]

    def __format__(self, spec: str) -> str:
        return format(self.store.shown(str(self)), spec)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (f"{self}",)  # another process has no copy under this path, and only shows it


def store_of(path: Path) -> Store:
    """Returns the store that a path lies in."""
    return path.store if isinstance(path, StoredPath) else LOCAL


def is_copy(path: Path) -> bool:
    """Says whether what lies there is a copy: its files are this process's own, whatever another one does."""
    return isinstance(path, StoredPath)
