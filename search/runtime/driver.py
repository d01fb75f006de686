"""The driver of a sweep: holds its lock while it runs, and chooses the exit code for each way in which it can end.

This module imports nothing heavy, so that a second driver is refused at once; the rest is imported under the lock.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sweep.search.runtime.process import ended_in_time, interruptible, signal_behind, stopped_by
from sweep.storage import paths
from sweep.storage.command_line import Exit
from sweep.storage.errors import UserError
from sweep.storage.lock import driver_lock, is_held
from sweep.storage.programs import spelled
from sweep.storage.store import is_copy, store_of
from sweep.storage.text import stop_printing


def drive_below(search: Path, name: str, start: Callable[[], int]) -> int:
    """Runs `drive` for the folder `name` inside the folder of a search, which must exist."""
    if not paths.is_sweep(search):
        print(f"{search}: holds no sweep; `{spelled('run')} --sweep {search}` starts one", file=sys.stderr)
        return Exit.YOURS_TO_MEND
    return drive(search / name, start)


def drive(folder: Path, start: Callable[[], int]) -> int:
    """Calls `start` as the driver of the sweep in `folder`, and returns the exit code.

    The code is that of `start`, or says what prevented it: an error of the user's, failing storage or a signal.
    """
    try:
        with ended_in_time(), interruptible(), driver_lock(folder) as lock, _explain_deletion(folder, lock):
            try:
                return start()
            except UserError as error:  # printed here, because a signal behind it is raised again when the block ends
                print(error, file=sys.stderr)
                return error.exit_code
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return stop_printing()
    except OSError as error:
        why = store_of(folder).shown(str(error))
        print(
            f"the storage failed: {why}; nothing that was recorded is lost: mend it, then run the same command again",
            file=sys.stderr,
        )
        return Exit.STORAGE_FAILS
    except BaseException as error:
        if (stop := signal_behind(error)) is None:
            raise
        print(stopped_by(stop.number))
        return 128 + stop.number


class GoneError(UserError):
    """Something was removed from the sweep's folder while its driver ran; the message says what, and what to do."""

    exit_code = Exit.STORAGE_FAILS


@contextmanager
def _explain_deletion(folder: Path, lock: TextIO) -> Iterator[None]:
    """Turns an error into a GoneError if it arose because the sweep's folder, or a file in it, is gone.

    Args:
      lock: the lock file in the folder, which this driver holds.
    """
    try:
        yield
    except BaseException as error:
        if is_copy(folder) or not (isinstance(error, OSError) or signal_behind(error)):
            raise
        if not is_held(folder, lock) and not paths.is_sweep(folder):
            raise GoneError(
                f"{folder}: the sweep's folder was deleted or moved while the sweep ran, with all that it held. If it "
                "was moved, name its new place, and the sweep goes on; if deleted, the same command begins a new one"
            ) from error
        if isinstance(error, FileNotFoundError) and _is_in(folder, error.filename):
            raise GoneError(
                f"{error.filename}: is not in the sweep's folder any more; put it back and run the same command again, "
                f"or `{spelled('check')} {folder}` says what is lost with it"
            ) from error
        raise


def _is_in(folder: Path, name: object) -> bool:
    return isinstance(name, str | os.PathLike) and Path(os.path.abspath(name)).is_relative_to(os.path.abspath(folder))
