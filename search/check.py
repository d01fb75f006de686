"""Is the folder of a sweep whole? What is not, a line each, with what to do about it.

    python -m search.check SWEEP              # only reads; also while the sweep runs
    python -m search.check SWEEP --repair     # mends what can be mended, after copies into SWEEP/backup-N

Exit codes: 0 whole, 2 not, 4 the storage fails, 75 a driver holds the sweep and --repair was asked.
"""

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from analysis.folder import STORAGE_FAILS, SweepFolder
from datasets.text import counted, stop_printing
from search.lock import HeldError, driver_lock, holder
from trainable.bucket import address_of, fetch, is_copy, with_addresses
from trainable.program import program

NOT_WHOLE = 2
HELD = 75
SECONDS_BETWEEN_LOOKS = 0.5  # at a sweep that runs


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder(), default=Path("sweeps/default"))
@click.option("--repair", "must_repair", is_flag=True, help="Mends what can be mended, and names what is lost.")
def main(sweep: Path, must_repair: bool) -> None:
    sys.exit(_main(sweep, must_repair))


def _main(folder: Path, must_repair: bool) -> int:
    lock = folder / "lock"
    try:
        if not must_repair or not (folder / "sweep.json").exists():
            return _checked(folder, must_repair=False)
        if os.path.lexists(lock) and not stat.S_ISREG(lock.lstat().st_mode):
            print(f"{lock}: must be a file, and is a link or a pipe; remove it", file=sys.stderr)
            return NOT_WHOLE
        with driver_lock(folder), _database_lock(folder):
            return _checked(folder, must_repair=True)
    except HeldError as error:
        print(with_addresses(f"{error}; stop it first: --repair writes what it writes"), file=sys.stderr)
        return HELD
    except BrokenPipeError:
        return stop_printing()
    except OSError as error:
        print(with_addresses(f"the storage failed: {error}; mend it, then run this again"), file=sys.stderr)
        return STORAGE_FAILS


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
    from analysis import postgres

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
    from analysis import postgres

    url, sweep_id = _database(folder)
    return bool(url and postgres.holder(url, postgres.lock_of(folder, sweep_id)))


def _database(folder: Path) -> tuple[str, str]:
    """URL of the ledger, and the sweep's id; no URL where the ledger is a journal, or `sweep.json` is damaged."""
    from analysis.record import Record, SweepError
    from trainable.files import DamagedError

    try:
        settings = Record(folder).settings
    except (SweepError, DamagedError):
        return "", ""
    return settings["ledger"], settings["id"]


def _checked(folder: Path, must_repair: bool) -> int:
    # Imported under the lock, so that a repair beside a driver is refused at once.
    from analysis.record import SweepError
    from search.checks.look import look
    from search.checks.repair import repair
    from trainable.files import DamagedError

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
        return NOT_WHOLE
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
    return NOT_WHOLE


if __name__ == "__main__":
    program(main)
