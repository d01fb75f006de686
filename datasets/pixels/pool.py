"""Keeps decoded images in a file to which missing ones are added, so that no image is decoded twice.

A pool belongs to one place and one way of decoding. Each of its rows is known by the name and the state of the file
that it was decoded from. Other splits, other limits and other left-out images therefore use the same pool, and so does
a start after one that was killed while it read.

    KEY.pixels      the bytes of the images, one after the other; no byte is ever overwritten
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

COMMIT_SECONDS = 5.0  # between two commits: at most so much reading is lost if the process is killed
ROWS, PIXELS = ".rows", ".pixels"


class ReadImage(NamedTuple):
    """The result of reading one image file.

    Attributes:
      error: the rule that the file breaks and what was found instead; empty if the image can be used.
      digest: sha256 of the file; empty if there is an error.
      height: height of the image in its file, px; 0 if there is an error.
      width: width of the image in its file, px; 0 if there is an error.
      words: warnings of the decoding libraries.
      remarks: remarks of the decoding recipe.
      start: where its bytes begin in the pool; 0 if its pixels are not there.
      length: how many bytes they are; 0 if its pixels are not there.
      checksum: CRC-32 of these bytes.
      way_out: what the user can do about the error.
      is_too_large: the error is that the image has too many pixels.
      cause: the cause of the error, see `Problem`.
      is_of_machine: the error is this machine's and not the file's, see `Problem`.
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
    """A pool that one process has open to add images; several threads may call `put` at once.

    Attributes:
      path: the file of pixels.
      known: the rows that were read before, by name and state of their file.

    Args:
      folder: the folder in which the two files lie.
      key: the name of the files, without suffix.
      form: see `datasets.pixels.form`.

    Raises:
      OSError: the pool cannot be written.
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
        # New pixels go behind everything in the file, also behind bytes that no row mentions: a killed start may have
        # left them, or another process may still use rows whose lines were lost here.
        self._end = os.fstat(self._pixels).st_size
        self.known = self._read()
        self._end_lock = threading.Lock()
        self._pending: list[tuple[str, str, ReadImage]] = []
        self._last_commit = time.monotonic()

    def put(self, pixels: np.ndarray) -> tuple[int, int, int]:
        """Adds the pixels (H, W, 3) of one image; returns the start, the length and the checksum of its bytes."""
        data = encoded(pixels, self.form)
        with self._end_lock:
            start, self._end = self._end, self._end + len(data)
        written = 0
        while written < len(data):
            written += os.pwrite(self._pixels, data[written:], start + written)
        return start, len(data), zlib.crc32(data)

    def add(self, rows: Iterable[tuple[str, str, ReadImage]]) -> None:
        """Records the results of reading, each with the name and the state of its file.

        A row whose state is empty is not recorded: its file may change without a trace, so a later start must read it
        again.
        """
        self._pending += (row for row in rows if row[1])
        if time.monotonic() - self._last_commit >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Makes everything that was added durable."""
        if self._pending:
            os.fdatasync(self._pixels)  # first, so that the bytes of every recorded row are on the disk
            text = json.dumps(self._pending, separators=(",", ":"))
            line = f"{zlib.crc32(text.encode()):08x} {text}\n".encode()
            if os.write(self._rows, line) != len(line):
                raise OSError(f"{self.path}: the disk is full")
            self._pending = []
        self._last_commit = time.monotonic()

    def close(self) -> None:
        """Closes both files without a commit."""
        os.close(self._pixels)
        os.close(self._rows)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk, of which the user has been told
            self.commit()
        self.close()

    def _read(self) -> dict[tuple[str, str], ReadImage]:
        """Reads the recorded rows, and cuts off what follows the last whole line."""
        rows: dict[tuple[str, str], ReadImage] = {}
        valid_bytes = 0
        with open(self._rows, "rb", closefd=False) as file:
            for line in file:
                checksum, _, text = line.partition(b" ")
                if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text[:-1]):
                    break
                for name, state, row in json.loads(text):
                    image = ReadImage(*row)
                    image = image._replace(words=tuple(image.words), remarks=tuple(image.remarks))
                    if image.start + image.length <= self._end:
                        rows[name, state] = image
                valid_bytes += len(line)
        os.ftruncate(self._rows, valid_bytes)
        return rows


def is_used(path: Path) -> bool:
    """Returns whether a process has this file of a pool open to write or to read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def bytes_needed(count: int, size: tuple[int, int], form: str) -> int:
    """Returns about how many bytes of disk `count` images of (H, W) px take in this form."""
    raw = 3 * size[0] * size[1] * count
    return raw // JPEG_TIMES if form == JPEG else raw


JPEG_TIMES = 2  # how much smaller JPEG is, at least; photographs are 3 times smaller at 64 px, 6 times at 224 px


def _lock(descriptor: int) -> None:
    """Waits until no other process adds to the pool."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another start is reading these images; this one waits for it.", file=sys.stderr, flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return
