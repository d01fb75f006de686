"""Record tables of learning curves, and write those that are there into benchmarks/curves/tables.

    make curves                              # all tables; the same command continues after a crash or Ctrl-C
    make curves ARGS="tiny --until 50"       # the first 50 rows of one table

The tables need data sets: SWEEP_TEST_DATA, SWEEP_TEST_CIFAR and SWEEP_TEST_CLOTHES name their files. Each process
trains on one thread, and `make curves` runs them at the lowest priority, so that other work goes first. The processor
time of the process is measured: waiting for a core does not count, but other work that shares caches and memory can
make it longer.
"""

from pathlib import Path

import click

from benchmarks.curves import processes
from benchmarks.curves.listing import write_list
from benchmarks.curves.recorder import Work
from benchmarks.curves.recordings import RECORDINGS
from benchmarks.curves.table import SUFFIX, TABLES, write
from sweep.storage.command_line import exit_codes, program
from sweep.storage.files import make_folder
from sweep.storage.lock import driver_lock

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(recording.name for recording in RECORDINGS)
COLLECT_SECONDS = 60.0  # between two checks of which rows are finished
FOLDER = click.Path(path_type=Path)


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--until", type=click.IntRange(min=1), default=None, help="Only so many rows of each table.")
@click.option("--processes", "count", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--rows", type=FOLDER, default=ROOT / "data" / "curves", help="Keeps each row, and the tables as far as they are."
)
@click.option("--tables", type=FOLDER, default=TABLES, help="Gets the tables in the end.")
def main(names: tuple[str, ...], until: int | None, count: int, rows: Path, tables: Path) -> None:
    """Records the rows that are missing, and writes the tables."""
    table_names = [name for name in NAMES if name in names or not names]
    with exit_codes(), driver_lock(rows):
        works = processes.works_of(table_names, rows)
        for work in works:
            print(_progress(work), flush=True)
        rows_taken = processes.no_rows_taken()
        recorders = processes.begin(count, table_names, until, rows, rows_taken)
        for work in works:  # while the processes train, because estimating the time builds each net
            hours = work.seconds() / 3600
            print(f"{work.recording.name}: all rows take about {hours:.2f} hours of one core", flush=True)
        while any(process.is_alive() for process in recorders):
            for process in recorders:
                process.join(COLLECT_SECONDS / count)
            _collect(works, rows)
        _collect(works, tables)
        write_list(tables)
        if failures := [process.exitcode for process in recorders if process.exitcode]:
            raise SystemExit(failures[0])


def _progress(work: Work) -> str:
    curves, rows = work.table().curves, len(work.recording.rows)
    hours = sum(float(curve.seconds.sum()) for curve in curves) / 3600
    return f"{work.recording.name}: {len(curves)} of {rows} rows are there, which took {hours:.2f} hours of one core"


def _collect(works: list[Work], folder: Path) -> None:
    """Writes the tables with the rows that are finished."""
    make_folder(folder)
    for work in works:
        if (table := work.table()).curves:
            write(folder / f"{work.recording.name}{SUFFIX}", table)


if __name__ == "__main__":
    program(main)
