"""Reads the ledger of a sweep: the study in its journal or in its database."""

from pathlib import Path

import optuna

from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.journal import Journal, JournalError
from sweep.storage.sweep_file import SweepFile


def read_study(folder: Path, file: SweepFile) -> optuna.Study:
    """Returns the Optuna study of the sweep in a folder, to be read only.

    Raises:
      SweepError: the ledger is not begun yet, or the database does not have it.
      JournalError: the journal is damaged.
      OSError: the database cannot be reached.
    """
    return optuna.load_study(storage=_storage(folder, file), study_name=file.id)


def _storage(folder: Path, file: SweepFile) -> optuna.storages.BaseStorage:
    name = file.id
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # otherwise Optuna logs each study that is made, even in memory
    if url := file.settings.ledger:
        from sweep.storage.postgres import NoTablesError, open_storage

        copy = optuna.storages.InMemoryStorage()
        try:
            database = open_storage(url, lock=None)
        except NoTablesError as error:
            raise SweepError(f"{error} of {folder}; restore the database") from None
        try:
            if name not in optuna.get_all_study_names(database):
                raise SweepError(f"{url}: holds no ledger of {folder}; restore the database")
            optuna.copy_study(from_study_name=name, from_storage=database, to_storage=copy)
        finally:
            database.engine.dispose()  # a reader keeps no connection
        return copy
    path = folder / paths.JOURNAL
    if not path.exists() or path.stat().st_size == 0:
        raise SweepError(f"{folder}: has no trials yet")
    try:
        storage = optuna.storages.JournalStorage(Journal(path))
        names = optuna.get_all_study_names(storage)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise JournalError(path, f"cannot be replayed ({error!r})", "restore it from a backup") from None
    if not names:  # the driver was killed while it wrote the first record
        raise SweepError(f"{folder}: has no trials yet")
    if name not in names:
        raise JournalError(path, "is the ledger of another sweep", "restore this one's")
    return storage
