"""Copies a file of the driver's machine to another machine, once for all processes there.

The file is sent in blocks. An interrupted copy continues where it stopped; a checksum tells whether an earlier block
is complete.
"""

import fcntl
import os
import zlib
from collections.abc import Callable
from pathlib import Path

from sweep.datasets.pixels.threads import in_threads
from sweep.storage.files import DamagedError

BLOCK_BYTES = 16 << 20
AT_ONCE = 4  # blocks that are fetched at the same time

Block = Callable[[int], bytes]  # returns a block of the driver's file by its number, which counts from 0


def block_of(path: Path, number: int) -> bytes:
    """Returns a block of a file; it is shorter at the file's end."""
    with open(path, "rb") as file:
        return os.pread(file.fileno(), BLOCK_BYTES, number * BLOCK_BYTES)


def get(path: Path, size: int, block: Block, is_there: Callable[[], bool]) -> bool:
    """Makes `path` a copy of a file, whole or not at all; waits for another process that is doing so.

    Args:
      size: bytes of the file.
      block: returns a block of the file by its number.
      is_there: returns whether there is a whole copy already; no other process writes one during the call.

    Returns:
      whether this process has written the copy.

    Raises:
      OSError: the copy cannot be written.
      DamagedError: a block came with too few bytes.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    notes = os.open(notes_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, 0o600)
    try:
        fcntl.flock(notes, fcntl.LOCK_EX)
        if is_there():
            return False
        _get_blocks(path, notes, size, block)
    finally:
        os.close(notes)
    return True


def notes_of(path: Path) -> Path:
    """Returns the path of the file that lists the blocks of a copy; it stays beside the copy."""
    return path.with_suffix(".blocks")


def _get_blocks(path: Path, notes: int, size: int, block: Block) -> None:
    """Fetches the blocks that are missing, and renames the partial copy to `path` once it is whole.

    Args:
      notes: an open file with a line for each block that was written: its number and its checksum.
      size: bytes of the whole file.

    Raises:
      DamagedError: a block came with too few bytes.
    """
    partial = path.with_suffix(".copying")
    with open(partial, "ab"):
        pass
    with open(partial, "r+b") as file, open(notes, "rb", closefd=False) as lines:
        records = [line.split() for line in lines]
        whole_blocks = {
            int(line[0]) for line in records if len(line) == 2 and _is_whole(file.fileno(), *map(int, line))
        }
        missing = [number for number in range(-(-size // BLOCK_BYTES)) if number not in whole_blocks]
        for number, data in zip(missing, in_threads(block, missing, AT_ONCE, AT_ONCE), strict=True):
            length = min(BLOCK_BYTES, size - number * BLOCK_BYTES)
            if len(data) < length:
                raise DamagedError(path, f"block {number} came with {len(data)} of {length} bytes")
            os.pwrite(file.fileno(), data[:length], number * BLOCK_BYTES)
            os.write(notes, b"%d %d\n" % (number, zlib.crc32(data[:length])))
        os.truncate(file.fileno(), size)
        os.fsync(file.fileno())
    os.replace(partial, path)


def _is_whole(file: int, number: int, checksum: int) -> bool:
    return zlib.crc32(os.pread(file, BLOCK_BYTES, number * BLOCK_BYTES)) == checksum
