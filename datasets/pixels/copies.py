"""The pool of a sweep on a node of a cluster: its own file where the node sees it, else a copy, got once for the node.

A copy comes in blocks. It is begun once, goes on where it was broken off, and is used by all workers of the node; each
of its images is compared with its checksum when a worker first reads it, as in the driver's own file.
"""

import fcntl
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from datasets.pixels import Pixels, cache
from datasets.pixels.dataset import Dataset
from datasets.pixels.pool import PIXELS
from datasets.pixels.rows import JoinedPixels
from datasets.pixels.stored import StoredPixels
from datasets.pixels.threads import in_threads
from storage.files import DamagedError

BLOCK_BYTES = 16 << 20
AT_ONCE = 4  # blocks on their way

Block = Callable[[int], bytes]  # of the driver's file, by its number from 0


def here(data: Dataset, block: Block) -> Dataset:
    """Returns the data with pixels that this machine can read: the driver's own file where it is seen, else a copy.

    Raises:
      OSError: the copy cannot be written.
    """
    parts = [part for split in (data.train, data.valid) for part in _stored(split.images)]
    if not parts or all(map(_is_here, parts)):
        return data
    path = _copied(parts, block)
    train, valid = (replace(split, images=_at(split.images, path)) for split in (data.train, data.valid))
    return replace(data, train=train, valid=valid)


def block_of(path: Path, number: int) -> bytes:
    """Returns a block of a file; it is shorter at the file's end."""
    with open(path, "rb") as file:
        return os.pread(file.fileno(), BLOCK_BYTES, number * BLOCK_BYTES)


def _stored(images: Pixels) -> list[StoredPixels]:
    if isinstance(images, JoinedPixels):
        return [*_stored(images.first), *_stored(images.second)]
    return [images] if isinstance(images, StoredPixels) else []


def _at(images: Pixels, path: Path) -> Pixels:
    if isinstance(images, JoinedPixels):
        return JoinedPixels(_at(images.first, path), _at(images.second, path))
    return images.at(path) if isinstance(images, StoredPixels) else images


def _is_here(images: StoredPixels) -> bool:
    """Says whether the file is there with these images in it: its first and last ones are looked at."""
    try:
        images[sorted({0, len(images) - 1})]
        return images.end <= images.path.stat().st_size
    except (OSError, DamagedError):
        return False


def _copied(parts: list[StoredPixels], block: Block) -> Path:
    """Returns the path of this machine's copy, once it is whole; another worker may be getting it."""
    identity = 0
    for part in parts:
        identity = zlib.crc32(np.ascontiguousarray(part.places).data, zlib.crc32(part.checksums.data, identity))
    folder = cache.folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{parts[0].path.stem}-{identity:08x}{PIXELS}"
    there = os.open(path.with_suffix(".blocks"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, 0o600)
    try:
        fcntl.flock(there, fcntl.LOCK_EX)
        if not path.exists():
            _get_blocks(path, there, max(part.end for part in parts), block)
            cache.tidy(folder)
    finally:
        os.close(there)
    return path


def _get_blocks(path: Path, there: int, size: int, block: Block) -> None:
    """Args:
    there: open file with a line for each block that was written: its number and its checksum.
    """
    partial = path.with_suffix(".copying")
    with open(partial, "ab"):
        pass
    with open(partial, "r+b") as file, open(there, "rb", closefd=False) as lines:
        noted = [line.split() for line in lines]
        whole = {int(line[0]) for line in noted if len(line) == 2 and _is_whole(file.fileno(), *map(int, line))}
        missing = [number for number in range(-(-size // BLOCK_BYTES)) if number not in whole]
        for number, data in zip(missing, in_threads(block, missing, AT_ONCE, AT_ONCE), strict=True):
            wanted = min(BLOCK_BYTES, size - number * BLOCK_BYTES)
            if len(data) < wanted:
                raise DamagedError(path, f"block {number} came with {len(data)} of {wanted} bytes")
            os.pwrite(file.fileno(), data, number * BLOCK_BYTES)
            os.write(there, b"%d %d\n" % (number, zlib.crc32(data)))
        os.fsync(file.fileno())
    os.replace(partial, path)


def _is_whole(file: int, number: int, checksum: int) -> bool:
    return zlib.crc32(os.pread(file, BLOCK_BYTES, number * BLOCK_BYTES)) == checksum
