"""Stores features on disk in `~/.cache/sweep/features/KEY/`, with a file for each chunk of images.

A chunk is on disk completely or not at all. Whoever computes a chunk holds a lock on its claim file, so nobody else
computes it; the lock ends with the process. Chunks are read as mapped files: all workers of a machine share one copy.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from sweep.datasets.pixels import cache
from sweep.datasets.pixels.target import SPARE_BYTES, gigabytes
from sweep.storage.errors import UserError
from sweep.storage.files import last_used_first
from sweep.trainable.features import Prepared

CHUNK_ROWS = 64  # images; a worker that dies loses this many, and one that is told to stop finishes this many
MOST_BYTES = 40 * 10**9  # for the features of one split in one view
KEPT_BYTES = 50 << 30  # for all features together; those in use are kept whatever their size
ABOUT = "about.json"


class FeaturesError(UserError):
    """Features cannot be stored; the message says which, how large they are, and what to do."""


class FeatureStore:
    """The stored features of some images, computed by one net at one size in one view.

    Attributes:
      about: everything that determines the numbers.
      count: the number of images.
      folder: where the chunks lie; its name follows from `about`.
    """

    def __init__(self, about: Mapping[str, Any], count: int) -> None:
        """Finds the folder; nothing is written before `open`.

        Args:
          about: everything that determines the numbers, as JSON can hold it.
        """
        self.about, self.count = {**about, "chunk_rows": CHUNK_ROWS}, count
        key = hashlib.sha256(json.dumps(self.about, sort_keys=True).encode()).hexdigest()
        self.folder = cache.folder() / "features" / key[:40]

    @property
    def chunks(self) -> range:
        """The numbers of all chunks, from 0."""
        return range(-(-self.count // CHUNK_ROWS))

    def rows(self, number: int) -> range:
        """Returns the rows of a chunk."""
        return range(number * CHUNK_ROWS, min(self.count, (number + 1) * CHUNK_ROWS))

    def path(self, number: int) -> Path:
        """Returns the file of a chunk."""
        return self.folder / f"{number:06d}.safetensors"

    def missing(self) -> list[int]:
        """Returns the numbers of the chunks that are not there yet."""
        return [number for number in self.chunks if not self.path(number).exists()]

    @property
    def prepared(self) -> Prepared:
        """How far the features are computed."""
        done = self.count - sum(len(self.rows(number)) for number in self.missing())
        return Prepared(_words(self.about["backbone"], self.about["input_size"], self.count), done, self.count)

    def open(self, numbers_an_image: int) -> None:
        """Makes the folder, marks it as just used, and protects it from removal as long as this object exists.

        Raises:
          FeaturesError: the features would be too large, or there is no room for them.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_against_removal  # noqa: B018 (opens it)
        os.utime(self.folder)
        if not self.missing():
            return
        size = bytes_of(numbers_an_image, self.count)
        check_size(self.about["backbone"], self.about["input_size"], self.count, size)
        free = shutil.disk_usage(self.folder).free
        if size + SPARE_BYTES > free:
            words = _words(self.about["backbone"], self.about["input_size"], self.count)
            raise FeaturesError(
                f"{self.folder}: there must be room for {words}, {gigabytes(size)}, got {gigabytes(free)} free; "
                "make room, or name a folder on a larger disk with XDG_CACHE_HOME"
            )
        (self.folder / ABOUT).write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")
        tidy(self.folder.parent, size)

    @cached_property
    def _lock_against_removal(self) -> "_Lock":
        return _Lock(self.folder / "used", fcntl.LOCK_SH)

    @contextmanager
    def claim(self, number: int) -> Iterator[bool]:
        """Yields whether this process, and no other, is to compute the chunk in the block."""
        path = self.folder / f"{number:06d}.claim"
        lock = _Lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            # A claim file is removed only after its chunk is written, so whoever locks a removed one finds the chunk.
            is_mine = lock.is_held and not self.path(number).exists()
            yield is_mine
            if lock.is_held:
                path.unlink(missing_ok=True)
        finally:
            lock.close()

    def write(self, number: int, tensors: Mapping[str, Tensor]) -> None:
        """Writes a chunk, completely or not at all.

        Raises:
          OSError: the disk is full, or fails.
        """
        halves = {name: tensor.to("cpu", torch.float16).contiguous() for name, tensor in tensors.items()}
        checksums = {name: _checksum(tensor) for name, tensor in halves.items()}
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(suffix=".partial", dir=self.folder)
        os.close(handle)
        try:
            save_file(halves, partial, {"checksums": json.dumps(checksums)})
            os.replace(partial, self.path(number))
        finally:
            Path(partial).unlink(missing_ok=True)

    def read(self, number: int, names: set[str]) -> dict[str, Tensor]:
        """Returns the named parts of a chunk, each (rows, F) float16 and mapped from the file.

        The result is empty if the chunk is missing, or if it is damaged; a damaged chunk is removed.
        """
        path, rows = self.path(number), len(self.rows(number))
        try:
            with safe_open(path, framework="pt") as file:
                checksums = json.loads(file.metadata()["checksums"])
                tensors = {name: file.get_tensor(name) for name in sorted(names)}
            if all(len(tensor) == rows and _checksum(tensor) == checksums[name] for name, tensor in tensors.items()):
                return tensors
        except MemoryError:
            raise
        except Exception:  # safetensors raises many kinds of errors for a damaged file
            tensors = {}
        path.unlink(missing_ok=True)
        return {}


def bytes_of(numbers_an_image: int, count: int) -> int:
    """Returns how many bytes the features of `count` images take on disk."""
    return 2 * numbers_an_image * count


def check_size(backbone: str, side: int, count: int, size: int) -> None:
    """Checks that features do not exceed the largest size that is allowed.

    Args:
      side: of the images as the net sees them, in px.
      size: the size of the features on disk.

    Raises:
      FeaturesError: they exceed it.
    """
    if size > MOST_BYTES:
        raise FeaturesError(
            f"{_words(backbone, side, count)} must take at most {gigabytes(MOST_BYTES)}, got {gigabytes(size)}; "
            "choose a smaller backbone, or fewer images"
        )


def _words(backbone: str, side: int, count: int) -> str:
    """Returns words that name some features in messages."""
    return f"the features of {count:,} images by {backbone} at {side} px"


def tidy(place: Path, new_bytes: int = 0) -> None:
    """Removes the least recently used features if all together are too large; those in use stay.

    Args:
      new_bytes: the number of bytes that are about to be written.
    """
    total = new_bytes
    for folder, _ in last_used_first(place.iterdir()):
        with suppress(OSError):  # another process removes it at the same time
            total += sum(path.stat().st_size for path in folder.iterdir())
            lock = _Lock(folder / "used", fcntl.LOCK_EX | fcntl.LOCK_NB)
            if total > KEPT_BYTES and lock.is_held:
                shutil.rmtree(folder, ignore_errors=True)
            lock.close()


class _Lock:
    """A lock on a file, which ends with this object, and with the process at the latest."""

    def __init__(self, path: Path, operation: int) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.is_held = True
        try:
            fcntl.flock(self.file, operation)
        except OSError as error:  # a file system without locks: two processes may compute the same chunk
            self.is_held = error.errno not in (errno.EWOULDBLOCK, errno.EACCES)

    def close(self) -> None:
        if self.file >= 0:
            os.close(self.file)
        self.file = -1

    def __del__(self) -> None:
        if hasattr(self, "file"):
            self.close()


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data)
