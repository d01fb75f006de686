"""The check of a sweep's folder as a command makes it: what is printed, and the exit code."""

import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from search.checks.repair_lock import held
from storage import paths
from storage.command_line import Exit
from storage.errors import SweepError, UserError
from storage.files import DamagedError
from storage.lock import HeldError, holder
from storage.store import store_of
from storage.sweep_file import SweepFile
from storage.text import counted, stop_printing

if TYPE_CHECKING:
    from search.checks.findings import Inspection

SECONDS_BETWEEN_LOOKS = 0.5  # at a sweep that runs


def check(folder: Path, must_repair: bool) -> int:
    """Checks the folder of a sweep, repairs it where that is asked, and says what it found; returns the exit code."""
    lock = folder / paths.LOCK
    try:
        is_lock = stat.S_ISREG(lock.lstat().st_mode) if os.path.lexists(lock) else True
        if not must_repair or not is_lock or not paths.is_sweep(folder):
            return _print(folder, _inspected(folder))
        with held(folder):
            return _print(folder, _repaired(folder))
    except HeldError as error:
        print(f"{error}; stop it first: --repair writes what it writes", file=sys.stderr)
        return Exit.HELD
    except (UserError, DamagedError) as error:
        print(error, file=sys.stderr)
        return Exit.YOURS_TO_MEND
    except BrokenPipeError:
        return stop_printing()
    except OSError as error:
        why = store_of(folder).shown(str(error))
        print(f"the storage failed: {why}; mend it, then run this again", file=sys.stderr)
        return Exit.STORAGE_FAILS


def _inspected(folder: Path) -> "Inspection":
    from search.checks.inspection import inspect_folder

    first = inspect_folder(folder)
    if not first.findings or not _is_held(folder):
        return first
    # What is merely in progress is gone a moment later, and what seems left over may be in use.
    time.sleep(SECONDS_BETWEEN_LOOKS)
    store_of(folder).fetch(folder)
    second = inspect_folder(folder)
    second.findings = [finding for finding in second.problems if finding in first.problems]
    return second


def _is_held(folder: Path) -> bool:
    try:
        return bool(SweepFile.read(folder).holder(folder))
    except (SweepError, DamagedError):
        return bool(holder(folder))


def _repaired(folder: Path) -> "Inspection":
    # Imported under the lock, so that a repair beside a driver is refused at once.
    from search.checks.inspection import inspect_folder
    from search.checks.repair import repair

    mended, inspection, backup = repair(folder, inspect_folder(folder))
    for finding in mended:
        print(f"mended: {finding.text(is_mended=True)}")
    if backup:
        print(f"{backup}: what was changed, as it was before")
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
    way_out = f"; `python -m search.check {folder} --repair` {mends}" if can_be_mended else ""
    print(f"{folder}: {counted(count, 'problem')}{way_out}", file=sys.stderr)
    return Exit.YOURS_TO_MEND
