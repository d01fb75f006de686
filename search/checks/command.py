"""The check of a sweep's folder and its repair, as a command runs them: both print findings and give an exit code."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.storage import paths
from sweep.storage.command_line import Exit
from sweep.storage.errors import SweepError, UserError
from sweep.storage.files import DamagedError
from sweep.storage.lock import HeldError, driver_lock, holder
from sweep.storage.programs import spelled
from sweep.storage.store import is_copy, store_of
from sweep.storage.sweep_file import SweepFile
from sweep.storage.text import counted, stop_printing

if TYPE_CHECKING:
    from sweep.search.checks.findings import Inspection

SECONDS_BETWEEN_LOOKS = 0.5  # between two inspections of a running sweep
MOST_ROUNDS = 4  # of a repair, because mending one damage may reveal another


def check(folder: Path, must_repair: bool) -> int:
    """Checks the folder of a sweep, repairs it if asked to, and prints what it found; returns the exit code."""
    lock = folder / paths.LOCK
    try:
        is_lock = stat.S_ISREG(lock.lstat().st_mode) if os.path.lexists(lock) else True
        if not must_repair or not is_lock or not paths.is_sweep(folder):
            return _print(folder, _inspect(folder))
        with _hold(folder):  # the rest is imported under the lock, so that a held sweep is refused at once
            return _print(folder, _repair(folder))
    except HeldError as error:
        print(f"{error}; stop it first: --repair writes what it writes", file=sys.stderr)
        return Exit.HELD
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return stop_printing()
    except OSError as error:
        why = store_of(folder).shown(str(error))
        print(f"the storage failed: {why}; mend it, then run this again", file=sys.stderr)
        return Exit.STORAGE_FAILS


def _inspect(folder: Path) -> "Inspection":
    from sweep.search.checks.inspection import inspect_folder

    first = inspect_folder(folder)
    if not first.findings or not _is_held(folder):
        return first
    # A driver is running, so a problem that is gone a moment later was work in progress. What seems left over may be in
    # use.
    time.sleep(SECONDS_BETWEEN_LOOKS)
    store_of(folder).fetch(folder)
    second = inspect_folder(folder)
    second.findings = [finding for finding in second.problems if finding in first.problems]
    return second


def _is_held(folder: Path) -> bool:
    with suppress(SweepError, DamagedError):
        return bool(SweepFile.read(folder).holder(folder))
    return bool(holder(folder))


@contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Holds the sweep as a driver does. It imports nothing heavy before that, so that a held sweep is refused at once.

    If the sweep is in a bucket, its folder is only a copy, so its lock in the database is held as well.

    Raises:
      HeldError: a driver holds it.
    """
    with driver_lock(folder):
        if is_copy(folder) and (file := SweepFile.read(folder)).settings.ledger:
            from sweep.storage import postgres

            storage = postgres.open_storage(file.settings.ledger, lock=postgres.lock_of(folder, file.id))
            store_of(folder).fetch(folder)
            try:
                yield
            finally:
                storage.engine.dispose()
        else:
            yield


def _repair(folder: Path) -> "Inspection":
    """Repairs in rounds until an inspection finds nothing more that can be mended; copies what it changes first.

    The driver's lock must be held. If the storage fails, what was mended so far stays, and a second call continues.

    Returns:
      The last inspection.
    """
    from sweep.search.checks.backup import Backup
    from sweep.search.checks.inspection import inspect_folder
    from sweep.search.checks.sweep_files import forget_results

    backup, inspection = Backup(folder), inspect_folder(folder)
    for _ in range(MOST_ROUNDS):
        mends = dict.fromkeys(finding.mend for finding in inspection.findings if finding.mend)
        if not mends:
            break
        for mend in mends:
            mend(backup)
        mended_findings = [finding for finding in inspection.findings if finding.mend]
        if any(finding.is_problem for finding in mended_findings):
            forget_results(folder, backup)
        for finding in mended_findings:
            print(f"mended: {finding.text(is_mended=True)}")
        inspection = inspect_folder(folder)
    if backup.folder.exists():
        print(f"{backup.folder}: what was changed, as it was before")
    return inspection


def _print(folder: Path, inspection: "Inspection") -> int:
    for finding in inspection.findings:
        print(finding.text(), file=sys.stderr if finding.is_problem else sys.stdout)
    if not inspection.problems:
        print(f"{folder}: whole: {inspection.words}")
        return Exit.WELL
    count = len(inspection.problems)
    can_be_mended = sum(finding.mend is not None for finding in inspection.problems)
    mends = "mends " + ("what can be" if can_be_mended < count else "all" if count > 1 else "it")
    way_out = f"; `{spelled('check')} {folder} --repair` {mends}" if can_be_mended else ""
    print(f"{folder}: {counted(count, 'problem')}{way_out}", file=sys.stderr)
    return Exit.YOURS_TO_MEND
