"""Bytes that several threads can read at any place: files, and parts of files."""

import io
import os
import stat
from collections.abc import Callable
from typing import Any, Protocol

from sweep.datasets.trees.recent import Recent

KEPT_OPEN = 64  # files of a tree that stay open; a system may allow a process no more than 256
IN_MEMORY = 64 << 20  # bytes that a tree may unpack into memory


class Region(Protocol):
    """A run of bytes.

    Attributes:
      size: the number of bytes.
    """

    size: int

    def read(self, start: int, count: int) -> bytes:
        """Returns `count` bytes from `start` on; fewer if the region ends before."""


class OpenFiles:
    """Everything that a tree holds until it is closed: open files, content in memory, and recently read parts."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self.memory_left = IN_MEMORY
        self.recent = Recent()

    def keep(self, descriptor: int, always: bool = False) -> bool:
        """Returns whether a file stays open until `close`, which closes it.

        Args:
          descriptor: the open file.
          always: keeps it open even if `KEPT_OPEN` files are open already.
        """
        if len(self._descriptors) >= KEPT_OPEN and not always:
            return False
        self._descriptors.append(descriptor)
        return True

    def close(self) -> None:
        """Closes the files and frees the memory."""
        self.recent.clear()
        while self._descriptors:
            os.close(self._descriptors.pop())


class FileRegion:
    """The bytes of a file.

    Args:
      open_file: opens the file and returns its descriptor.
      stamp: the state of the file when it was listed.
      open_files: keeps the file open.
      stays_open: the file must stay open, because it cannot be opened again.
    """

    def __init__(
        self, open_file: Callable[[], int], stamp: tuple[int, ...], open_files: OpenFiles, stays_open: bool = False
    ) -> None:
        self.size = stamp[2]
        self._open_file, self._stamp = open_file, stamp
        descriptor = self._open()
        self._descriptor = descriptor if open_files.keep(descriptor, stays_open) else None
        if self._descriptor is None:
            os.close(descriptor)

    def read(self, start: int, count: int) -> bytes:
        """Returns bytes of the file; see `Region`.

        Raises:
          ValueError: the file has changed since it was listed.
        """
        count = min(count, self.size - start)
        if self._descriptor is not None:
            return _read_at(self._descriptor, start, count)
        descriptor = self._open()
        try:
            return _read_at(descriptor, start, count)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        """Opens the file after checking that it is still the one that was listed."""
        descriptor = self._open_file()
        status = os.fstat(descriptor)
        # The time of change is not compared, because a new hard link to the file alters it.
        state = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        if not stat.S_ISREG(status.st_mode) or state != self._stamp[:4]:
            os.close(descriptor)
            raise ValueError("a file that has changed since it was listed")
        return descriptor


def _read_at(descriptor: int, start: int, count: int) -> bytes:
    """Returns bytes of an open file."""
    parts = []
    while count > 0:
        part = os.pread(descriptor, count, start)  # one call reads at most 2 GiB
        if not part:
            break
        parts.append(part)
        start, count = start + len(part), count - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class RegionPart:
    """A part of another region."""

    def __init__(self, parent: Region, start: int, size: int) -> None:
        self.size = size
        self._parent, self._start = parent, start

    def read(self, start: int, count: int) -> bytes:
        """Returns bytes of the part; see `Region`."""
        return self._parent.read(self._start + start, max(0, min(count, self.size - start)))


class MemoryRegion:
    """Bytes in memory, as a region."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    def read(self, start: int, count: int) -> bytes:
        """Returns some of the bytes; see `Region`."""
        return self._data[start : start + max(0, count)]


class RegionFile(io.RawIOBase):
    """A region as a file object, which is what libraries take.

    Args:
      region: the bytes.
      max_read: bytes that may be read at once; a request for more comes from a damaged or hostile file. None for any
        number.
    """

    def __init__(self, region: Region, max_read: int | None = None) -> None:
        super().__init__()
        self._region, self._max_read, self._place = region, max_read, 0

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def tell(self) -> int:
        """Returns the position."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a position, and returns it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._region.size}[whence]
        if base + offset < 0:
            raise OSError(f"a place before the beginning ({base + offset})")
        self._place = base + offset
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """Returns `size` bytes, or all that are left if it is None or negative."""
        remaining = max(0, self._region.size - self._place)
        count = remaining if size is None or size < 0 else min(size, remaining)
        if self._max_read is not None and count > self._max_read:
            raise ValueError(f"a header of {count:,} bytes")
        data = self._region.read(self._place, count)
        self._place += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Reads into a buffer; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)
