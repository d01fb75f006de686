"""Unpacks content that can only be read from its beginning, so that it can then be read at any place.

Such content is a packed .tar, or a member of an archive that is a container itself. If it is small, it stays in memory.
Otherwise it is written to `~/.cache/sweep/unpacked/`, where the next start finds it: the name of the copy is a hash of
the state of the real file and of the part that was unpacked. The free room is announced first. The copies that were
used last are kept.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from sweep.datasets.problems import DataError, Problem
from sweep.datasets.trees import Opening
from sweep.datasets.trees.folders import stamp
from sweep.datasets.trees.regions import FileRegion, MemoryRegion, Region
from sweep.storage.files import last_used_first
from sweep.storage.text import counted

CHUNK = 1 << 20
SMALL = 16 << 20  # content of up to so many bytes stays in memory, if the tree has room left for it
MOST_TIMES = 200  # content may be so many times larger than its packed bytes; no archive of images comes near this
ALWAYS_BYTES = 256 << 20  # content of up to so many bytes is allowed, however small its packed bytes are
FREE_BYTES = 1 << 30  # that must stay free on the disk
CHECKED_BYTES = 64 << 20  # that are written between two checks of the free room
KEPT_BYTES = 40 << 30  # that all copies may take together
STALE_SECONDS = 24 * 3600.0  # after which an unfinished copy counts as abandoned

Chunks = Callable[[], Iterator[bytes]]


def folder() -> Path:
    """Returns the folder of the copies."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sweep" / "unpacked"


def unpack(chunks: Chunks, packed_bytes: int, part: str, opening: Opening) -> Region:
    """Returns the content of a stream as a region.

    Args:
      chunks: reads the stream from its beginning.
      packed_bytes: the size of the packed stream.
      part: the name of the part of the container; empty for the whole.
      opening: the container.

    Raises:
      DataError: the content is far larger than the packed stream, or the disk has too little room.
    """
    path = folder() / hashlib.sha256(f"{opening.identity}\n{part}".encode("utf-8", "surrogateescape")).hexdigest()
    place = f"{opening.place}/{part}" if part else opening.place
    if opening.keeps and path.is_file():
        with suppress(OSError, ValueError):
            os.utime(path)  # marks it as used last
            return _open_copy(path, opening)
    stream = _limit(chunks(), packed_bytes, place)
    beginning = b""
    for chunk in stream:
        beginning += chunk
        if len(beginning) > min(SMALL, opening.open_files.memory_left):
            return _write_copy(chain([beginning], stream), packed_bytes, place, path, opening)
    opening.open_files.memory_left -= len(beginning)
    return MemoryRegion(beginning)


def _limit(stream: Iterator[bytes], packed_bytes: int, place: str) -> Iterator[bytes]:
    """Yields the chunks of a stream, up to a limit.

    Raises:
      DataError: the limit is exceeded.
    """
    limit, size = max(ALWAYS_BYTES, MOST_TIMES * packed_bytes), 0
    for chunk in stream:
        size += len(chunk)
        if size > limit:
            rule, got = (
                f"must unpack to at most {MOST_TIMES} times its {counted(packed_bytes, 'byte')}",
                f"{size:,} and more",
            )
            raise DataError([Problem(place, f"file {rule}", got, "unpack it yourself if you trust it")])
        yield chunk


def _write_copy(stream: Iterator[bytes], packed_bytes: int, place: str, path: Path, opening: Opening) -> Region:
    """Writes the content of a stream into a copy on the disk, and returns the copy as a region.

    Unless `opening.keeps`, the copy loses its name at once, and lasts only while it is open.

    Raises:
      DataError: the copy cannot be written.
      ValueError: the stream is damaged; gzip and bz2 raise OSErrors for that, which are no fault of the disk.
    """
    stream = _value_errors(stream)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(path.parent)
        free = shutil.disk_usage(path.parent).free
        room = f"{_gigabytes(free)} are free there"
        opening.announce(f"Unpacking {place} ({_gigabytes(packed_bytes)} packed) into {path.parent}; {room}.")
        handle, partial = tempfile.mkstemp(suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                _write(stream, file.write, path.parent, place)
            if opening.keeps:
                os.replace(partial, path)
                return _open_copy(path, opening)
            # The file changed a moment ago and may change again, so its copy is for this tree alone.
            return _open_copy(Path(partial), opening)
        finally:
            Path(partial).unlink(missing_ok=True)
    except OSError as error:
        rule, got = f"{path.parent} must take its unpacked copy", error.strerror or str(error)
        way_out = "unpack it yourself, or set XDG_CACHE_HOME to a folder with room"
        raise DataError([Problem(place, rule, got, way_out)]) from error


def _value_errors(stream: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the chunks of a stream; its own OSErrors become ValueErrors."""
    try:
        yield from stream
    except OSError as error:
        raise ValueError(str(error)) from error


def _write(stream: Iterator[bytes], write: Callable[[bytes], int], directory: Path, place: str) -> None:
    """Writes the content, and checks the free room after each `CHECKED_BYTES`.

    Raises:
      DataError: the disk has too little room.
    """
    unchecked_bytes = CHECKED_BYTES
    for chunk in stream:
        unchecked_bytes += len(chunk)
        if unchecked_bytes >= CHECKED_BYTES:
            unchecked_bytes = 0
            if (free := shutil.disk_usage(directory).free) < FREE_BYTES + CHECKED_BYTES:
                rule, got = f"the disk of {directory} must have room for its unpacked copy", f"{_gigabytes(free)} left"
                way_out = "make room, or set XDG_CACHE_HOME to a folder on another disk"
                raise DataError([Problem(place, rule, got, way_out)])
        write(chunk)


def _open_copy(path: Path, opening: Opening) -> Region:
    """Returns a copy as a region."""
    # It stays open, because another start may remove the copy, or change its time when it uses it.
    return FileRegion(lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC), stamp(os.stat(path)), opening.open_files, True)


def _remove_old(place: Path) -> None:
    """Removes abandoned copies, and those used least recently if all together are too large."""
    with suppress(OSError):  # another start may be removing copies too
        total = 0
        for path, status in last_used_first(place.iterdir()):
            total += status.st_size
            is_stale = path.suffix == ".partial" and time.time() - status.st_mtime > STALE_SECONDS
            if is_stale or (total > KEPT_BYTES and path.suffix != ".partial"):
                path.unlink()


def _gigabytes(size: int) -> str:
    """Returns a size as messages show it."""
    return f"{size / 1e9:,.1f} GB"
