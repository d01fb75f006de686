"""The files of a sweep: every durable write, whole or not at all, and readers that take nothing on trust.

Each durable write of the driver and of a worker is made here, but for the rows of a
PostgreSQL ledger, and each passes numbered crash points: a test kills the process at
every one of them, so a write that is added later is killed too. Of a sweep in a bucket
they are written there too, before they return; what is appended to stays here, for a
bucket has nothing to append to.
"""

import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.storage.errors import UserError
from sweep.storage.store import store_of

if TYPE_CHECKING:
    import numpy as np  # imported where an array is written or read: a second driver is refused before

MOST_JSON_BYTES = 64 << 20


class DamagedError(UserError, ValueError):
    """A file does not hold what was written into it.

    Attributes:
      path: of the file, or of the folder that it is one of.
      found: which rule does not hold and what is there instead, without the path.
      way_out: what to do; empty where the reader of the message knows better.
      line: from 1; None where the file has no lines, or it is not known which one it is.
    """

    def __init__(self, path: Path, found: str, way_out: str = "", line: int | None = None) -> None:
        super().__init__(path, found, way_out, line)  # all of it, so that it can be sent to another process
        self.path, self.found, self.way_out, self.line = path, found, way_out, line

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.found}" + (f"; {self.way_out}" if self.way_out else "")


def crash_point(step: str, path: Path, data: bytes = b"") -> None:
    """Stands before, in and after every durable write, in the order in which they are made; tests replace it.

    Args:
      step: `before`, `in` (begun, not yet to be seen or not yet on the disk) or `after`.
      path: what is written; of a whole file, in the write, its partial.
      data: what is being appended.
    """


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a path to write to; `path` appears, complete and on the disk, only if the block ends normally.

    A reader sees the old file or the new one, never a part. An error removes the part,
    for the disk may be full; what a crash leaves behind (`NAME.partial`) is overwritten
    by the next write.
    """
    partial = path.with_name(path.name + ".partial")
    crash_point("before", path)
    partial.unlink(missing_ok=True)  # never written through: it may be a link
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
    with open(path, "ab", buffering=0) as file:  # a buffer would be written once more when the file is closed
        end = file.tell()
        try:
            crash_point("in", path, data)
            left = data
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:  # a full disk
            os.truncate(path, end)
            raise
    if is_new:
        _sync(path.parent)
    crash_point("after", path)


def truncate(path: Path, length: int) -> None:
    crash_point("before", path)
    os.truncate(path, length)
    _sync(path)
    crash_point("after", path)


def make_folder(path: Path) -> None:
    """Makes the folder and those above it, where they are not there yet."""
    if path.is_dir():
        return
    make_folder(path.parent)
    crash_point("before", path)
    path.mkdir(exist_ok=True)
    _sync(path.parent)
    crash_point("after", path)


def remove(path: Path) -> None:
    """Removes a file, or a folder with all in it; a link itself, never what it leads to. Nothing there is no error."""
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


def _sync(path: Path) -> None:
    """Returns once the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def utf8(text: str) -> bytes:
    """The text as UTF-8, also where it names a file whose name is no UTF-8: a sign stands for what cannot be told."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode("utf-8")


def save_bytes(path: Path, content: bytes) -> None:
    with written_whole(path) as partial:
        partial.write_bytes(content)


def save_array(path: Path, array: "np.ndarray") -> None:
    import numpy as np

    with written_whole(path) as partial, open(partial, "wb") as file:
        np.save(file, array, allow_pickle=False)


def check_regular(path: Path) -> None:
    """To be called before a file is opened: a pipe keeps its reader waiting for ever.

    Raises:
      FileNotFoundError: it is not there.
      DamagedError: it is a folder, a pipe or a device.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedError(path, "is no regular file")


def read_json(path: Path) -> Any:
    """Raises:
    FileNotFoundError: it is not there.
    DamagedError: it is no JSON of this project: cut, over 64 MiB, too deep, or with NaN or an infinity in it.
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
    if math.isinf(value):  # 1e999
        _refuse(number)
    return value


def read_array(path: Path) -> "np.ndarray":
    """Raises:
    FileNotFoundError: it is not there.
    DamagedError: it is no whole .npy file of numbers.
    """
    import numpy as np

    check_regular(path)
    try:
        return np.array(np.lib.format.open_memmap(path, mode="r"))  # mapped first: a size that lies allocates nothing
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # numpy has more ways than can be listed to say that a file is none of its own
        raise DamagedError(path, f"is no whole array: {error}") from None
