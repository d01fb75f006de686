"""The driver's lock of a sweep, as a check needs it: taken for a repair, or only asked for.

Imports nothing heavy, so that a repair beside a driver is refused at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.bucket import fetch, is_copy
from storage.errors import SweepError
from storage.files import DamagedError
from storage.lock import HeldError, driver_lock, holder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the sweep as a driver does: its folder, and of a sweep in a bucket its place in the database as well.

    Raises:
      HeldError: a driver holds it.
    """
    with driver_lock(folder), _held_in_database(folder):
        yield


@contextmanager
def _held_in_database(folder: Path) -> Iterator[None]:
    """Of a sweep in a bucket, where the lock in the folder is that of a copy, which is fetched once more."""
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


def is_held(folder: Path) -> bool:
    """Returns whether a driver runs, on whichever machine."""
    if holder(folder):
        return True
    url, sweep_id = _database(folder)
    if not url:
        return False
    from storage import postgres

    return bool(postgres.holder(url, postgres.lock_of(folder, sweep_id)))


def _database(folder: Path) -> tuple[str, str]:
    """URL of the ledger, and the sweep's id; no URL where the ledger is a journal, or `sweep.json` is damaged."""
    from analysis.record import Record

    try:
        record = Record(folder)
    except (SweepError, DamagedError):
        return "", ""
    return record.settings.ledger, record.file.id
