"""Opens a ledger that is kept in PostgreSQL, with a lock that lives as long as the connection.

A URL is `postgresql://[USER@]HOST[:PORT]/DATABASE`. The password comes from PGPASSWORD, or from the pass file
(PGPASSFILE, default ~/.pgpass), as with PostgreSQL's own programs.
"""

import os
import re
import socket
import stat
import time
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pg8000.dbapi
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.pool import QueuePool

from sweep.storage import files
from sweep.storage.lock import HeldError
from sweep.storage.store import is_copy

ERRORS = (StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
ENGINE = {"poolclass": QueuePool, "max_overflow": 0, "hide_parameters": True}
TRIES = 4  # how often the lock is asked for
UNDEFINED_TABLE = "42P01"  # PostgreSQL's code for this error
TIMEOUT_SECONDS = 30  # within which the server must accept a connection, and answer


class NoTablesError(OSError):
    """The database has no tables of Optuna's, so no sweep was ever begun in it."""


def open_storage(url: str, lock: str | None) -> RDBStorage:
    """Opens Optuna's storage, which holds the ledgers of all sweeps in a database.

    Args:
      url: the URL of the database, without password.
      lock: the result of `lock_of` for the sweep that is written: the storage then has a single connection, which
        holds this advisory lock. None to read only; then missing tables are not made.

    Raises:
      HeldError: another driver holds the lock.
      OSError: the server cannot be reached, refuses, or its tables are not Optuna's; the message names the URL.
    """
    connections = list[Any]()
    dialect = f"postgresql+pg8000://{make_url(url).host}/"

    def connect_once() -> Any:
        """Returns a connection, but only once.

        After a lost connection it is not known whether its last transaction was committed. Only a new start finds
        that out, so the driver must not connect again.
        """
        if connections:
            raise pg8000.InterfaceError("the connection was lost")
        connections.append(_connect(url, lock))
        return connections[0]

    try:
        if lock is None:
            return RDBStorage(dialect, {"creator": lambda: _connect(url), **ENGINE}, skip_table_creation=True)
        _make_tables(dialect, url)
        storage = RDBStorage(
            dialect,
            {"creator": connect_once, **ENGINE, "pool_size": 1},
            skip_table_creation=True,
            skip_compatibility_check=True,  # `_make_tables` has checked it; the check needs a second connection
        )
    except (*ERRORS, pg8000.Error, OSError, RuntimeError) as error:
        raise unreachable(url, error) from None
    _pass_crash_points(storage.engine)
    return storage


def lock_of(folder: Path, sweep_id: str) -> str:
    """Returns the text that the driver of a sweep locks in the database.

    It is the id of the sweep, or its address if it lies in a bucket: there two drivers may begin at once, each with an
    id of its own.
    """
    return f"{folder}" if is_copy(folder) else sweep_id


def holder(url: str, lock: str) -> str:
    """Returns the text in which the driver that holds the lock names itself; empty if no driver holds it.

    Raises:
      OSError: the server cannot be reached, or refuses.
    """
    try:
        with closing(_connect(url)) as connection:
            return _holder(connection.cursor(), lock)
    except (pg8000.Error, OSError) as error:
        raise unreachable(url, error) from None


def _connect(url: str, lock: str | None = None) -> Any:
    """Returns a new connection, which holds the lock if one is given."""
    address = make_url(url)
    connection = pg8000.dbapi.connect(
        user=address.username or os.environ.get("PGUSER") or os.environ.get("USER", "postgres"),
        host=address.host,
        port=address.port or 5432,
        database=address.database,
        password=_password(address) or "",  # a server that needs a password reports that it is missing
        timeout=TIMEOUT_SECONDS,
        application_name=f"sweep, pid {os.getpid()} on {socket.gethostname()}",
    )
    connection.autocommit = True
    cursor = connection.cursor()
    # With these, the server notices within a minute that a driver's machine is gone, and frees its lock.
    for name, value in {"idle": 30, "interval": 10, "count": 3}.items():
        cursor.execute(f"SET tcp_keepalives_{name} = {value}")
    if lock is not None:
        _take(cursor, lock, url)
    connection.autocommit = False
    return connection


def _make_tables(dialect: str, url: str) -> None:
    """Makes Optuna's tables unless they exist, under a lock, because two drivers that made them at once would fail."""
    with closing(_connect(url)) as connection:
        connection.cursor().execute("SELECT pg_advisory_lock(0)")  # held until the connection is closed
        RDBStorage(dialect, {"creator": lambda: _connect(url), **ENGINE}).engine.dispose()


def unreachable(url: str, error: BaseException) -> OSError:
    """Returns the error to raise: one line with what the server or the network reported.

    It is a `NoTablesError` if the database has no tables of Optuna's.
    """
    if isinstance(error, StorageInternalError):
        error = error.__cause__ or error
    cause = getattr(error, "orig", None) or error
    if cause.args and isinstance(cause.args[0], dict):  # pg8000 gives the fields of PostgreSQL's message
        if cause.args[0].get("C") == UNDEFINED_TABLE:
            return NoTablesError(f"{url}: holds no ledger")
        cause = cause.args[0].get("M", cause)
    return OSError(f"{url}: {' '.join(str(cause).split())}")


def _take(cursor: Any, lock: str, url: str) -> None:
    for _ in range(TRIES):
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (_key(lock),))
        if cursor.fetchone()[0]:
            return
        time.sleep(0.05)  # the server needs a moment to see that a killed driver is gone
    raise HeldError(f"{url}: another driver holds this sweep: {_holder(cursor, lock) or 'gone just now, try again'}")


def _holder(cursor: Any, lock: str) -> str:
    cursor.execute(
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND classid = 0 AND objid::bigint = %s AND granted",
        (_key(lock),),
    )
    row = cursor.fetchone()
    return row[0] if row else ""


def _key(lock: str) -> int:
    return zlib.crc32(lock.encode())


def _password(url: URL) -> str | None:
    """Returns the password from the environment or the pass file, by the rules of libpq; None where there is none.

    Raises:
      OSError: other users can read the pass file.
    """
    if "PGPASSWORD" in os.environ:
        return os.environ["PGPASSWORD"]
    path = Path(os.path.expanduser(os.environ.get("PGPASSFILE", "~/.pgpass")))  # Path.home would raise without a home
    if not path.is_file():
        return None
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OSError(f"{path}: others can read it, so it is not used; chmod 600 {path}")
    login = [url.host, str(url.port or 5432), url.database, url.username or os.environ.get("USER", "")]
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", line)]
        if len(fields) == 5 and all(a in ("*", b) for a, b in zip(fields[:4], login, strict=True)):
            return fields[4]
    return None


def _pass_crash_points(engine: Engine) -> None:
    """Makes each transaction pass the crash points of `storage.files`.

    They stand before the transaction's first statement, before its commit, and when its connection is given back.
    """
    for event, place in {"begin": "before", "commit": "in", "checkin": "after"}.items():
        sqlalchemy.event.listen(engine, event, lambda *_, place=place: files.crash_point(place, Path("postgresql")))
