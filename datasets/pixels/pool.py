"""The decoded images of a data set in a file, which grows by those that are missing: what was read once stays read.

A pool is of one place and one way of decoding. Each of its rows is known by the name and the state of the file that it
was decoded from, so that other splits, limits and images left out take their pixels from the same pool, and so does a
start whose predecessor was killed on the way.

    KEY.pixels      the bytes of the images, one behind the other; nothing in it is ever changed
    KEY.rows        a line for each group of images, appended once their bytes are on the disk
"""

import fcntl
import json
import os
import sys
import threading
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sweep.datasets.pixels.form import JPEG
from sweep.datasets.pixels.stored import encoded

COMMIT_SECONDS = 5.0  # of reading, at most, that a kill costs
ROWS, PIXELS = ".rows", ".pixels"


class Row(NamedTuple):
    """What reading one image file gave.

    Attributes:
      error: the rule that it breaks, and what was found; empty of an image that can be used.
      digest: sha256 of the file; empty where there is an error.
      height, width: of the image in its file; 0 where there is an error.
      words: what the decoding libraries warned of.
      remarks: of the decoding recipe.
      start, length: of its bytes in the pool; 0 where its pixels are not there.
      checksum: CRC-32 of these bytes.
      way_out: what to do about an error.
      is_too_large: the error is that the image has too many pixels.
      cause, is_of_machine: of an error, as a `Problem` has them.
    """

    error: str = ""
    digest: str = ""
    height: int = 0
    width: int = 0
    words: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    start: int = 0
    length: int = 0
    checksum: int = 0
    way_out: str = ""
    is_too_large: bool = False
    cause: str = ""
    is_of_machine: bool = False


class Pool:
    """A pool, open for one process to add to; several threads may `put` at once.

    Attributes:
      path: of the pixels.
      known: what was read before, by name and state of the file.

    Args:
      form: of `datasets.pixels.form`.

    Raises:
      OSError: it cannot be written.
    """

    def __init__(self, folder: Path, key: str, form: str) -> None:
        self.path, self.form = folder / f"{key}{PIXELS}", form
        self._rows = os.open(folder / f"{key}{ROWS}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, 0o600)
        try:
            _lock(self._rows)
            self._pixels = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            os.close(self._rows)
            raise
        # Behind whatever a killed start wrote and did not note: another process may use rows that were lost here.
        self._end = os.fstat(self._pixels).st_size
        self.known = self._read()
        self._placing = threading.Lock()
        self._waiting: list[tuple[str, str, Row]] = []
        self._committed = time.monotonic()

    def put(self, pixels: np.ndarray) -> tuple[int, int, int]:
        """Adds an image (H, W, 3); returns start, length and checksum of its bytes."""
        data = encoded(pixels, self.form)
        with self._placing:
            start, self._end = self._end, self._end + len(data)
        written = 0
        while written < len(data):
            written += os.pwrite(self._pixels, data[written:], start + written)
        return start, len(data), zlib.crc32(data)

    def add(self, rows: Iterable[tuple[str, str, Row]]) -> None:
        """Notes what reading gave, by name and state of the file; an empty state is not known to a later start."""
        self._waiting += (row for row in rows if row[1])
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Makes durable what was added."""
        if self._waiting:
            os.fdatasync(self._pixels)  # first: a row that is noted has its bytes on the disk
            text = json.dumps(self._waiting, separators=(",", ":"))
            line = f"{zlib.crc32(text.encode()):08x} {text}\n".encode()
            if os.write(self._rows, line) != len(line):
                raise OSError(f"{self.path}: the disk is full")
            self._waiting = []
        self._committed = time.monotonic()

    def close(self) -> None:
        os.close(self._pixels)
        os.close(self._rows)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk: said already
            self.commit()
        self.close()

    def _read(self) -> dict[tuple[str, str], Row]:
        """Returns the rows of all whole lines; what stands behind the last one of them is cut off."""
        known: dict[tuple[str, str], Row] = {}
        whole = 0
        with open(self._rows, "rb", closefd=False) as file:
            for line in file:
                checksum, _, text = line.partition(b" ")
                if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text[:-1]):
                    break
                for name, state, row in json.loads(text):
                    read = Row(*row)
                    read = read._replace(words=tuple(read.words), remarks=tuple(read.remarks))
                    if read.start + read.length <= self._end:
                        known[name, state] = read
                whole += len(line)
        os.ftruncate(self._rows, whole)
        return known


def is_used(path: Path) -> bool:
    """Says whether a process writes or reads a file of a pool."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(number)
    return False


def bytes_needed(count: int, size: tuple[int, int], form: str) -> int:
    """Returns about how much of a disk so many images of a height and width take."""
    raw = 3 * size[0] * size[1] * count
    return raw // JPEG_TIMES if form == JPEG else raw


JPEG_TIMES = 2  # smaller than the pixels, at least: photographs 3 times at 64 px, 6 times at 224 px


def _lock(number: int) -> None:
    """Waits until no other process adds to the pool."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another start is reading these images; this one waits for it.", file=sys.stderr, flush=True)
        fcntl.flock(number, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return
