"""The driver's lock of a sweep, as a repair takes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.lock import HeldError, driver_lock
from storage.store import is_copy, store_of
from storage.sweep_file import SweepFile


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the sweep as a driver does. Imports nothing heavy before it does, so that it is refused at once.

    Of a sweep in a bucket the lock in the folder is that of a copy: there its place in the database is held as well.

    Raises:
      HeldError: a driver holds it.
    """
    with driver_lock(folder):
        if not is_copy(folder) or not (file := SweepFile.read(folder)).settings.ledger:
            yield
            return
        from storage import postgres

        try:
            storage = postgres.open_storage(file.settings.ledger, lock=postgres.lock_of(folder, file.id))
        except postgres.LockedError as error:
            raise HeldError(str(error)) from None
        store_of(folder).fetch(folder)
        try:
            yield
        finally:
            storage.engine.dispose()
