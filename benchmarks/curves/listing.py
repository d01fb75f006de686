"""Writes the list of the tables in a folder: what each is about, how it was made, and the hash of its file."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from benchmarks.curves.table import SUFFIX, Table, read
from sweep.storage.files import save_bytes, utf8

NAME = "README.md"
HEAD = (
    "table",
    "data",
    "train and validation images",
    "drawn from",
    "curves",
    "draws",
    "diverged",
    "epochs",
    "hours of one thread",
    "best accuracy",
    "MB",
    "SHA-256",
)


def write_list(folder: Path) -> None:
    """Writes README.md beside the tables; after a crash the old file or the new one is there.

    Raises:
      DamagedError: a file in the folder is not a table.
      OSError: the disk is full or fails.
    """
    save_bytes(folder / NAME, utf8("\n".join(_lines(folder)) + "\n"))


def _lines(folder: Path) -> Iterator[str]:
    yield "# Tables of learning curves"
    yield ""
    yield "Written by `make curves`; what they are, and how they are made, is in BENCHMARKS.md."
    yield ""
    yield f"| {' | '.join(HEAD)} |"
    yield f"| {' | '.join('---' for _ in HEAD)} |"
    tables = {path: read(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}
    for path, table in tables.items():
        yield f"| {' | '.join(_cells(path, table))} |"
    for path, table in tables.items():
        yield ""
        yield f"`{path.stem}`:"
        yield ""
        yield from (f"- {line}" for line in table.about.conditions)


def _cells(path: Path, table: Table) -> list[str]:
    about, curves, content = table.about, table.curves, path.read_bytes()
    fixed = "".join(f", {name}={value}" for name, value in about.fixed.items())
    name, number = about.space
    seconds = sum(float(curve.seconds.sum()) for curve in curves)
    best = max((float(curve.accuracies.max()) for curve in curves if len(curve.accuracies)), default=0.0)
    return [
        path.stem,
        f"{about.data}, `{about.fingerprint[:16]}`",
        f"{about.train_images:,} and {about.valid_images:,}",
        f"`{name}` {number}{fixed}",
        f"{len(curves)}" if len(curves) == about.rows else f"the first {len(curves)} of {about.rows}",
        f"{len({curve.draw for curve in curves})}",
        f"{sum(curve.has_diverged for curve in curves)}",
        f"{sum(len(curve.right) for curve in curves):,}",
        f"{seconds / 3600:.2f}",
        f"{best:.4f}",
        f"{len(content) / 1e6:.2f}",
        f"`{sha256(content).hexdigest()}`",
    ]
