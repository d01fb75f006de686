"""The lock that lets one driver write a sweep. Imports nothing heavy: a second driver is refused at once."""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from sweep.storage import paths
from sweep.storage.errors import UserError

TRIES = 4


class HeldError(UserError):
    """Another driver holds the sweep; the message says which."""

    exit_code = 75


@contextmanager
def driver_lock(folder: Path) -> Iterator[TextIO]:
    """Held for the life of a driver; the kernel frees it however the driver ends.

    The folder is made where it is not there, and is gone again if the block leaves
    nothing in it but the lock: whoever is refused has written nothing.

    Yields: the lock's file.

    Raises:
      HeldError: another driver holds it.
      OSError: the folder cannot be written, or is none.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with _taken(folder) as file:
        try:
            file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            file.flush()
            yield file
        finally:
            with suppress(OSError):  # the folder is gone, or somebody else uses it
                if os.listdir(folder) == [paths.LOCK]:
                    (folder / paths.LOCK).unlink()
                    for path in made:
                        path.rmdir()


def is_held(folder: Path, file: TextIO) -> bool:
    """Whether the file that `driver_lock` yielded is still the lock of that folder: not, once the folder is gone."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(folder / paths.LOCK))
    except OSError:
        return False


def holder(folder: Path) -> str:
    """Who holds the sweep, by its lock; empty where nobody does."""
    try:
        # Through no link, and no pipe may hold the reader up.
        descriptor = os.open(folder / paths.LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return ""
        raise
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read(1000).strip()
    return ""


def _taken(folder: Path) -> TextIO:
    path, text, gone = folder / paths.LOCK, "", None
    for _ in range(TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(
                os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+", encoding="utf-8", errors="replace"
            )
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                    file.truncate(0)
                    return file
            except BlockingIOError:
                text = file.read(1000).strip()
            file.close()
        except FileNotFoundError as error:  # the driver that had made the folder may just have removed it
            gone = error
        time.sleep(0.05)  # `search.status` holds it for a moment
    if gone and not text:
        raise gone
    raise HeldError(f"{folder}: another driver holds this sweep: {text}")
