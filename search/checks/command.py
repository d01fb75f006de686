"""The check of a sweep's folder as a command makes it: under the lock where it repairs, beside a driver where not."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.bucket import address_of, fetch, is_copy, with_addresses
from storage.command_line import Exit
from storage.lock import HeldError, driver_lock, holder
from storage.text import counted, stop_printing

SECONDS_BETWEEN_LOOKS = 0.5  # at a sweep that runs


def check(folder: Path, must_repair: bool) -> int:
    """Checks the folder of a sweep, repairs it where that is asked, and says what it found; returns the exit code."""
    lock = folder / "lock"
    try:
        if not must_repair or not (folder / "sweep.json").exists():
            return _checked(folder, must_repair=False)
        if os.path.lexists(lock) and not stat.S_ISREG(lock.lstat().st_mode):
            print(f"{lock}: must be a file, and is a link or a pipe; remove it", file=sys.stderr)
            return Exit.YOURS_TO_MEND
        with driver_lock(folder), _database_lock(folder):
            return _checked(folder, must_repair=True)
    except HeldError as error:
        print(with_addresses(f"{error}; stop it first: --repair writes what it writes"), file=sys.stderr)
        return Exit.HELD
    except BrokenPipeError:
        return stop_printing()
    except OSError as error:
        print(with_addresses(f"the storage failed: {error}; mend it, then run this again"), file=sys.stderr)
        return Exit.STORAGE_FAILS


@contextmanager
def _database_lock(folder: Path) -> Iterator[None]:
    """Of a sweep in a bucket, where the lock in the folder is that of a copy.

    Raises:
      HeldError: a driver holds it.
    """
    url, sweep_id = _database(folder) if is_copy(folder) else ("", "")
    if not url:
        yield
        return
    from storage import postgres

    try:
        storage = postgres.open_storage(url, lock=postgres.lock_of(folder, sweep_id))
    except postgres.LockedError as error:
        raise HeldError(str(error)) from None
    fetch(folder)
    try:
        yield
    finally:
        storage.engine.dispose()


def _is_held(folder: Path) -> bool:
    """Whether a driver runs, on whichever machine."""
    if holder(folder):
        return True
    from storage import postgres

    url, sweep_id = _database(folder)
    return bool(url and postgres.holder(url, postgres.lock_of(folder, sweep_id)))


def _database(folder: Path) -> tuple[str, str]:
    """URL of the ledger, and the sweep's id; no URL where the ledger is a journal, or `sweep.json` is damaged."""
    from analysis.record import Record
    from storage.errors import SweepError
    from storage.files import DamagedError

    try:
        record = Record(folder)
    except (SweepError, DamagedError):
        return "", ""
    return record.settings.ledger, record.file.id


def _checked(folder: Path, must_repair: bool) -> int:
    # Imported under the lock, so that a repair beside a driver is refused at once.
    from search.checks.look import look
    from search.checks.repair import repair
    from storage.errors import SweepError
    from storage.files import DamagedError

    try:
        found = look(folder)
        if must_repair:
            mended, found, backup = repair(folder, found)
            for finding in mended:
                print(with_addresses(f"mended: {finding.line(is_mended=True)}"))
            if backup:
                print(f"{address_of(backup)}: what was changed, as it was before")
        elif found.findings and _is_held(folder):
            # What is merely in progress is gone a moment later, and what seems left over may be in use.
            time.sleep(SECONDS_BETWEEN_LOOKS)
            fetch(folder)
            lines = {finding.line() for finding in found.problems}
            found = look(folder)
            found.findings = [finding for finding in found.problems if finding.line() in lines]
    except (SweepError, DamagedError) as error:
        print(with_addresses(str(error)), file=sys.stderr)
        return Exit.YOURS_TO_MEND
    for finding in found.findings:
        print(with_addresses(finding.line()), file=sys.stderr if finding.is_problem else sys.stdout)
    place = address_of(folder)
    if not found.problems:
        print(f"{place}: whole: {found.words}")
        return 0
    count, can_be_mended = len(found.problems), sum(finding.mend is not None for finding in found.problems)
    mends = "mends " + ("what can be" if can_be_mended < count else "all" if count > 1 else "it")
    way_out = f"; `python -m search.check {place} --repair` {mends}" if can_be_mended else ""
    print(f"{place}: {counted(count, 'problem')}{way_out}", file=sys.stderr)
    return Exit.YOURS_TO_MEND
