"""A PostgreSQL server of its own for the tests, on a free local port, with a password; Debian's `postgresql`."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD, DATABASE = "sweeper", "c4nary-pass", "sweeps"


@dataclass(frozen=True)
class Server:
    """Attributes:
    url: without the password.
    """

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def url_with_password(self) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"


def programs() -> Path | None:
    """The folder with PostgreSQL's server programs; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def running() -> Iterator[Server]:
    """Started and ended here; as root it runs as the user `postgres`, for it refuses root."""
    binaries = programs()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="sweep-postgres-"))
    as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program: str, *words: str, **environment: str) -> None:
        subprocess.run(
            [str(binaries / program), *words],
            check=True,
            capture_output=True,
            cwd=folder,
            env={**os.environ, **environment},
            **as_user,
        )

    def control(*words: str) -> None:  # the server must not hold our pipes
        subprocess.run(
            [str(binaries / "pg_ctl"), "-D", str(folder / "data"), *words],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **as_user,
        )

    secret = folder / "password"
    secret.write_text(PASSWORD)
    if as_user:
        shutil.chown(secret, "postgres", "postgres")
    run("initdb", "-D", str(folder / "data"), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(secret), "-N")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control("-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, DATABASE, PGPASSWORD=PASSWORD)
        pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        yield Server(port, pid)
    finally:
        control("-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
