"""The files of a sweep: writes that happen whole or not at all, and readers that trust no content.

Every durable write of the driver and of a worker is made here, except for the rows of a PostgreSQL ledger. Each write
passes crash points, in a fixed order. A test kills the process at every one of them, so that a write that is added
later is tested too. If the sweep lies in a bucket, a write returns only when the file is in the bucket too. Files that
are appended to stay on this machine, because a bucket cannot append.
"""

import json
import math
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.storage.errors import UserError
from sweep.storage.store import store_of

if TYPE_CHECKING:
    import numpy as np  # imported only where arrays are written or read, so that a second driver is refused quickly

MOST_JSON_BYTES = 64 << 20


class DamagedError(UserError, ValueError):
    """A file does not hold what was written into it.

    Attributes:
      path: the file, or a folder that the file belongs to.
      found: which rule is broken and what is there instead, without the path.
      way_out: what the user can do; empty where whoever reads the message knows better.
      line: the number of the damaged line, from 1; None where the file has no lines or the line is not known.
    """

    def __init__(self, path: Path, found: str, way_out: str = "", line: int | None = None) -> None:
        super().__init__(path, found, way_out, line)  # all four, so that pickle can send the error to another process
        self.path, self.found, self.way_out, self.line = path, found, way_out, line

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.found}" + (f"; {self.way_out}" if self.way_out else "")


def crash_point(step: str, path: Path, data: bytes = b"") -> None:
    """Does nothing; every durable write calls it, and tests replace it by a crash.

    Args:
      step: `before` or `after`; writes of whole files, appends and transactions also call it with `in`, when the write
        has begun, but is not yet visible or not yet on the disk.
      path: what is written, cut off or removed, or `postgresql` for a transaction; at the step `in` of a whole file,
        its partial file.
      data: the bytes that are being appended; empty for other writes.
    """


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a path to write to; `path` appears, complete and on the disk, only if the block ends normally.

    A reader sees the old file or the new one, never a part. An error removes the partial file, because the disk may be
    full. A crash leaves it behind as `NAME.partial`, and the next write overwrites it.
    """
    partial = path.with_name(path.name + ".partial")
    crash_point("before", path)
    partial.unlink(missing_ok=True)  # it may be a link, whose target must not be overwritten
    try:
        yield partial
        crash_point("in", partial)
        _sync(partial)
        store_of(path).put(partial, path)
        os.replace(partial, path)
    except Exception:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)
    crash_point("after", path)


def append(path: Path, data: bytes) -> None:
    """Adds to the end of a file and returns once it is on the disk; after an error no part of it stays."""
    crash_point("before", path)
    is_new = not path.exists()
    with open(path, "ab", buffering=0) as file:  # after an error, a buffer would be written again on closing the file
        end = file.tell()
        try:
            crash_point("in", path, data)
            rest = data
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:  # for example because the disk is full
            os.truncate(path, end)
            raise
    if is_new:
        _sync(path.parent)
    crash_point("after", path)


def truncate(path: Path, length: int) -> None:
    """Cuts a file off after `length` bytes and returns once that is on the disk."""
    crash_point("before", path)
    os.truncate(path, length)
    _sync(path)
    crash_point("after", path)


def make_folder(path: Path) -> None:
    """Makes the folder, and those above it, unless they exist; returns once they are on the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    crash_point("before", path)
    path.mkdir(exist_ok=True)
    _sync(path.parent)
    crash_point("after", path)


def remove(path: Path) -> None:
    """Removes a file, or a folder with everything in it; a path that does not exist is no error.

    If the path is a link, the link itself is removed, and never the file or folder that it leads to.
    """
    crash_point("before", path)
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            remove(child)
        store_of(path).delete(path)
        path.rmdir()
    else:
        store_of(path).delete(path)
        path.unlink(missing_ok=True)
    crash_point("after", path)


def last_used_first(paths: Iterable[Path]) -> list[tuple[Path, os.stat_result]]:
    """Returns paths of a cache with their states, the last used first.

    Several processes tidy a cache at the same time; a path that another one has removed meanwhile is left out.
    """
    states = []
    for path in paths:
        with suppress(FileNotFoundError):
            states.append((path, path.stat()))
    return sorted(states, key=lambda each: each[1].st_mtime, reverse=True)


def _sync(path: Path) -> None:
    """Returns once the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def utf8(text: str) -> bytes:
    """Returns a text as UTF-8; a replacement character takes the place of each part that is not UTF-8."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode("utf-8")


def save_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with written_whole(path) as partial:
        partial.write_bytes(content)


def save_array(path: Path, array: "np.ndarray") -> None:
    """Writes an array as an .npy file, whole or not at all."""
    import numpy as np

    with written_whole(path) as partial, open(partial, "wb") as file:
        np.save(file, array, allow_pickle=False)


def check_regular(path: Path) -> None:
    """Checks that a path leads to a regular file, before it is opened: a pipe would keep its reader waiting for ever.

    Raises:
      FileNotFoundError: there is nothing at the path.
      DamagedError: there is a folder, a pipe or a device at the path.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedError(path, "is no regular file")


def read_json(path: Path) -> Any:
    """Reads a JSON file that this project wrote.

    Raises:
      FileNotFoundError: the file does not exist.
      DamagedError: the project writes no such JSON: it is cut off, larger than 64 MiB, nested too deeply, or has NaN
        or an infinity in it.
    """
    check_regular(path)
    if path.stat().st_size > MOST_JSON_BYTES:
        raise DamagedError(path, f"must have at most {MOST_JSON_BYTES >> 20} MiB, got {path.stat().st_size >> 20}")
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise DamagedError(path, f"is not JSON: {error.msg}", line=error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise DamagedError(path, f"is not JSON: {error}") from None


def _refuse(number: str) -> None:
    raise ValueError(f"numbers must be finite, got {number}")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):  # as for 1e999
        _refuse(number)
    return value


def read_array(path: Path) -> "np.ndarray":
    """Reads an .npy file into memory.

    Raises:
      FileNotFoundError: the file does not exist.
      DamagedError: the file is no complete .npy file of numbers.
    """
    import numpy as np

    check_regular(path)
    try:
        return np.array(np.lib.format.open_memmap(path, mode="r"))  # mapped first: a false size allocates nothing
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # numpy raises too many kinds of errors for a wrong file to list them
        raise DamagedError(path, f"is no whole array: {error}") from None
