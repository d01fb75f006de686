"""The lock that lets only one driver write a sweep.

This module imports nothing heavy, so that a second driver is refused at once.
"""

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
    """Holds the lock of a sweep while the block runs; the kernel frees it however the driver ends.

    The folder is made if it does not exist. If the block leaves nothing in it but the lock, the folder is removed
    again, so that a driver that refuses to start leaves nothing behind.

    Yields:
      The open file of the lock.

    Raises:
      HeldError: another driver holds the lock.
      OSError: the folder cannot be written, or is not a folder.
    """
    new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
    with _take(folder) as file:
        try:
            file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            file.flush()
            yield file
        finally:
            with suppress(OSError):  # the folder may be gone, or somebody else may use it
                if os.listdir(folder) == [paths.LOCK]:
                    (folder / paths.LOCK).unlink()
                    for path in new_folders:
                        path.rmdir()


def is_held(folder: Path, file: TextIO) -> bool:
    """Returns whether the file that `driver_lock` yielded is still the lock of the folder.

    It no longer is if the folder or the lock's file was removed or replaced.
    """
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(folder / paths.LOCK))
    except OSError:
        return False


def holder(folder: Path) -> str:
    """Returns the text in which the driver that holds the lock names itself; empty if no driver holds it."""
    try:
        # A link is not followed, and opening a pipe must not keep the reader waiting.
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


def _take(folder: Path) -> TextIO:
    path, text, not_found = folder / paths.LOCK, "", None
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
            not_found = error
        time.sleep(0.05)  # `search.status` takes the lock for a moment to see whether it is free
    if not_found and not text:
        raise not_found
    raise HeldError(f"{folder}: another driver holds this sweep: {text}")
