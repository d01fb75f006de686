"""Record tables of learning curves, and write those that are there into benchmarks/curves/tables.

    make curves                              # all tables; the same command goes on after a crash or Ctrl-C
    make curves ARGS="tiny --until 50"       # the first 50 rows of one table

The tables need data sets: SWEEP_TEST_DATA, SWEEP_TEST_CIFAR and SWEEP_TEST_CLOTHES name their files. Each process
trains on one thread at the lowest priority, so other work goes before it. What is measured is the processor time of
the process, which other work leaves nearly as it is.
"""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import click

from benchmarks.curves.recorder import Work, in_order, record
from benchmarks.curves.recordings import RECORDINGS
from benchmarks.curves.table import SUFFIX, TABLES, write
from storage.command_line import exit_codes, program
from storage.files import make_folder
from storage.lock import driver_lock

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(recording.name for recording in RECORDINGS)
LOWEST_PRIORITY = 19
COLLECT_SECONDS = 60.0  # between two looks at which rows are there


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--until", type=click.IntRange(min=1), default=None, help="Only so many rows of each table.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=ROOT / "data" / "curves",
    help="Keeps each row, and the tables as far as they are; default data/curves.",
)
def main(names: tuple[str, ...], until: int | None, processes: int, folder: Path) -> None:
    wanted = [name for name in NAMES if name in names or not names]
    with exit_codes(), driver_lock(folder):
        works = _works(wanted, folder)
        for work in works:
            print(_progress(work), flush=True)
        context = multiprocessing.get_context("spawn")
        arguments = (wanted, until, folder, context.Value("i", 0))
        children = [context.Process(target=_record, args=arguments, daemon=True) for _ in range(processes)]
        for child in children:
            child.start()
        while any(child.is_alive() for child in children):
            for child in children:
                child.join(COLLECT_SECONDS / processes)
            _collect(works, folder)
        _collect(works, TABLES)
        if failed := [child.exitcode for child in children if child.exitcode]:
            raise SystemExit(failed[0])


def _works(names: list[str], folder: Path) -> list[Work]:
    command = " ".join(["python -m benchmarks.curves", *names])
    return [Work(recording, folder, command) for recording in RECORDINGS if recording.name in names]


def _progress(work: Work) -> str:
    curves, rows = work.table().curves, len(work.recording.rows)
    so_far = sum(float(curve.seconds.sum()) for curve in curves)
    words = f"{work.recording.name}: {len(curves)} of {rows} rows, {so_far / 3600:.2f} hours of one core"
    return f"{words}; all of it takes about {work.seconds() / 3600:.2f} hours"


def _collect(works: list[Work], folder: Path) -> None:
    """Writes the tables as far as they are."""
    make_folder(folder)
    for work in works:
        if (table := work.table()).curves:
            write(folder / f"{work.recording.name}{SUFFIX}", table)


def _record(names: list[str], until: int | None, folder: Path, taken: Any) -> None:
    """Records in a process of its own, until there is nothing left to take or the command has ended."""
    import cv2
    import torch

    from trainable.allocator import keep_freed_memory

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends this process
    os.nice(LOWEST_PRIORITY)
    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    works = _works(names, folder)
    tasks = in_order([work.recording for work in works], until)

    def take() -> int:
        parent = multiprocessing.parent_process()
        with taken.get_lock():
            taken.value += 1
            return taken.value - 1 if parent and parent.is_alive() else len(tasks)

    for sentence in record(works, tasks, take):
        print(sentence, flush=True)


if __name__ == "__main__":
    program(main)
