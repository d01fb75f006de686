"""What can only be read from its beginning to its end, unpacked once, so that it can be read at any place.

A packed .tar, or a member of an archive that is a container itself, is small and stays in memory, or is written into
`~/.cache/sweep/unpacked/`, where the next start finds it: its name is made of the state of the real file and of where
in it the part is. How much room there is, is said before. The copies that were used last stay.
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
from sweep.datasets.trees.regions import FileRegion, Memory, Region
from sweep.storage.text import counted

CHUNK = 1 << 20
SMALL = 16 << 20  # bytes that stay in memory, where the tree has room left for them
MOST_TIMES = 200  # as many bytes as are packed; no archive of images comes near it
ALWAYS_BYTES = 256 << 20  # a packed file may have so many, however small it is
FREE_BYTES = 1 << 30  # what the disk must have left
CHECKED_BYTES = 64 << 20  # written between two looks at how much room is left
KEPT_BYTES = 40 << 30  # of the copies that are not in use now
STALE_SECONDS = 24 * 3600.0  # after which a copy that was begun and not ended is nobody's

Chunks = Callable[[], Iterator[bytes]]


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sweep" / "unpacked"


def unpack(chunks: Chunks, packed: int, part: str, opening: Opening) -> Region:
    """Returns what a stream unpacks to.

    Args:
      chunks: reads the stream from its beginning.
      packed: its bytes as they are packed.
      part: says which part of the container it is; empty for all of it.

    Raises:
      DataError: the stream unpacks to far more than its size, or the disk has too little room.
    """
    path = folder() / hashlib.sha256(f"{opening.identity}\n{part}".encode("utf-8", "surrogateescape")).hexdigest()
    place = f"{opening.place}/{part}" if part else opening.place
    if opening.keeps and path.is_file():
        with suppress(OSError, ValueError):
            os.utime(path)  # used last
            return _opened(path, opening)
    stream = _limited(chunks(), packed, place)
    beginning = b""
    for chunk in stream:
        beginning += chunk
        if len(beginning) > min(SMALL, opening.held.memory_left):
            return _on_disk(chain([beginning], stream), packed, place, path, opening)
    opening.held.memory_left -= len(beginning)
    return Memory(beginning)


def _limited(stream: Iterator[bytes], packed: int, place: str) -> Iterator[bytes]:
    most, size = max(ALWAYS_BYTES, MOST_TIMES * packed), 0
    for chunk in stream:
        size += len(chunk)
        if size > most:
            rule, got = f"must unpack to at most {MOST_TIMES} times its {counted(packed, 'byte')}", f"{size:,} and more"
            raise DataError([Problem(place, f"file {rule}", got, "unpack it yourself if you trust it")])
        yield chunk


def _on_disk(stream: Iterator[bytes], packed: int, place: str, path: Path, opening: Opening) -> Region:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(path.parent)
        free = shutil.disk_usage(path.parent).free
        room = f"{_gigabytes(free)} are free there"
        opening.announce(f"Unpacking {place} ({_gigabytes(packed)} packed) into {path.parent}; {room}.")
        handle, partial = tempfile.mkstemp(suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                _write(stream, file.write, path.parent, place)
            if opening.keeps:
                os.replace(partial, path)
                return _opened(path, opening)
            return _opened(Path(partial), opening)
        finally:
            Path(partial).unlink(missing_ok=True)  # a copy of a file that may still change is this tree's alone
    except OSError as error:
        rule, got = f"{path.parent} must take its unpacked copy", error.strerror or str(error)
        way_out = "unpack it yourself, or set XDG_CACHE_HOME to a folder with room"
        raise DataError([Problem(place, rule, got, way_out)]) from error


def _write(stream: Iterator[bytes], write: Callable[[bytes], int], where: Path, place: str) -> None:
    since = CHECKED_BYTES
    for chunk in stream:
        since += len(chunk)
        if since >= CHECKED_BYTES:
            since = 0
            if (free := shutil.disk_usage(where).free) < FREE_BYTES + CHECKED_BYTES:
                rule, got = f"the disk of {where} must have room for its unpacked copy", f"{_gigabytes(free)} left"
                way_out = "make room, or set XDG_CACHE_HOME to a folder on another disk"
                raise DataError([Problem(place, rule, got, way_out)])
        write(chunk)


def _opened(path: Path, opening: Opening) -> Region:
    # It stays open: another start may remove the copy, or note in its time that it was used.
    return FileRegion(lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC), stamp(os.stat(path)), opening.held, True)


def _remove_old(place: Path) -> None:
    with suppress(OSError):  # another start may do the same
        total = 0
        for path in sorted(place.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True):
            found = path.stat()
            total += found.st_size
            is_stale = path.suffix == ".partial" and time.time() - found.st_mtime > STALE_SECONDS
            if is_stale or (total > KEPT_BYTES and path.suffix != ".partial"):
                path.unlink()


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
