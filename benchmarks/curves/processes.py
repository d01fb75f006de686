"""The processes that record tables, each of which takes one row after the other and trains on one thread."""

import multiprocessing
import signal
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from benchmarks.curves.recorder import Work, in_order, record
from benchmarks.curves.recordings import RECORDINGS

CONTEXT = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork


def works_of(names: list[str], folder: Path) -> list[Work]:
    """Returns the recordings of these names, with the place of their rows."""
    command = " ".join(["python -m benchmarks.curves", *names])
    return [Work(recording, folder, command) for recording in RECORDINGS if recording.name in names]


def no_rows_taken() -> Any:
    """Returns a counter of the rows that were taken; all processes share it as long as this one keeps it."""
    return CONTEXT.Value("i", 0)


def begin(count: int, names: list[str], until: int | None, folder: Path, rows_taken: Any) -> list[SpawnProcess]:
    """Starts `count` processes, which end with this one or when there is no row left to take.

    Args:
      until: the number of rows of each table to record; None for all.
    """
    arguments = (names, until, folder, rows_taken)
    processes = [CONTEXT.Process(target=_record, args=arguments, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    return processes


def _record(names: list[str], until: int | None, folder: Path, rows_taken: Any) -> None:
    import cv2
    import torch

    from sweep.trainable.allocator import keep_freed_memory

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C the first process ends this one
    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    works = works_of(names, folder)
    tasks = in_order([work.recording for work in works], until)

    def take() -> int:
        parent = multiprocessing.parent_process()
        with rows_taken.get_lock():
            rows_taken.value += 1
            return rows_taken.value - 1 if parent and parent.is_alive() else len(tasks)

    for sentence in record(works, tasks, take):
        print(sentence, flush=True)
