"""The store that a sweep lies in: this machine, or a bucket, of which each process works on a copy.

Whoever opens the place of a sweep gets the path of its folder. Every path that is made from that path knows the same
store, as the paths of cloudpathlib know their client. `storage.files` writes through the store of the path that it is
given, so that a file is in the bucket before the write returns.

This module has the contract of a store and the store of this machine. Every other kind of store has a file of its own,
and `storage.bucket.open_place` chooses it by the scheme of an address.
"""

from pathlib import Path, PosixPath
from typing import ClassVar


class Store:
    """The store of this machine, and the contract of any other store.

    The files of this machine need no copy, so that nothing has to be fetched or put. A subclass is the store of
    another place, whose files have copies on this machine.
    """

    def fetch(self, folder: Path, whole: bool = True) -> None:
        """Makes the copy of a folder equal to the folder in the store.

        Args:
          folder: the path of the copy.
          whole: whether everything below the folder is fetched; otherwise only the files directly in it.

        Raises:
          OSError: the store cannot be read.
        """

    def fetch_content(self, path: Path) -> None:
        """Fetches the content of a file that `fetch` has left empty; does nothing for any other file.

        Raises:
          FileNotFoundError: the store does not have the file any more.
          OSError: the store cannot be read.
        """

    def put(self, content: Path, path: Path) -> None:
        """Writes a file into the store, whole or not at all.

        Args:
          content: the file whose content is written.
          path: the path, in the copy, of the file that is written in the store.

        Raises:
          OSError: the store cannot be written.
        """

    def delete(self, path: Path) -> None:
        """Removes a file from the store, or a folder with everything in it.

        Raises:
          OSError: the store cannot be written.
        """

    def move(self, path: Path, target: Path) -> None:
        """Moves a file or folder in the store, before the caller moves the copy; files that are gone are left out.

        Raises:
          OSError: the store cannot be written; the files at `path` are still there.
        """

    def shown(self, text: str) -> str:
        """Returns a text for people, in which the paths of copies are replaced by the addresses of the originals.

        This is needed for messages of the operating system; our own have addresses already.
        """
        return text

    def close(self) -> None:
        """Removes the copies; the store must not be used afterwards."""


LOCAL = Store()


class StoredPath(PosixPath):
    """A path in the copy of a store, which knows its store and shows itself as an address.

    A formatted text (f"{path}") has the address. `str` and `os.fspath` give the path of the copy, by which the file is
    opened. Each store makes a subclass of its own, because a path that is made from another one only keeps its class.
    """

    store: ClassVar[Store]

    def __format__(self, spec: str) -> str:
        return format(self.store.shown(str(self)), spec)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (f"{self}",)  # another process has no copy at this path and can only show the address


def store_of(path: Path) -> Store:
    """Returns the store that a path lies in."""
    return path.store if isinstance(path, StoredPath) else LOCAL


def is_copy(path: Path) -> bool:
    """Returns whether a path lies in a copy, whose files no other process changes."""
    return isinstance(path, StoredPath)
