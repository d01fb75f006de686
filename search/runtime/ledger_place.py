"""Where the ledger of a sweep lies: it may be moved from one database to another, and nowhere else."""

import optuna

from trainable.config import ConfigError


def check_moved(sweep_id: str, before: str, now: str) -> None:
    """Checks that the ledger of a sweep, which was in one place, is in another by now.

    Args:
      before, now: URL of a database; empty for the journal in the sweep's folder.

    Raises:
      ConfigError: it is not.
      OSError: the database cannot be reached.
    """
    if before and now and sweep_id in _studies(now):
        return
    was, got = before or "the journal in its folder", now or "a journal in its folder"
    raise ConfigError(
        f"--ledger: the ledger of this sweep must be there, got {got}, which holds none of it; "
        f"it is {was}: leave --ledger as it was, or start another sweep with --sweep"
    )


def _studies(url: str) -> list[str]:
    """Returns the names of all studies in a database."""
    from storage import postgres

    try:
        storage = postgres.open_storage(url, lock=None)
        try:
            return optuna.get_all_study_names(storage)
        finally:
            storage.engine.dispose()
    except postgres.NoTablesError:
        return []
    except postgres.ERRORS as error:
        raise postgres.unreachable(url, error) from error
