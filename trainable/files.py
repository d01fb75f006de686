"""Files that appear complete under their name or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a path to write to; `path` appears, complete and on the disk, only if the block ends normally.

    A reader sees the old file or the new one, never a part. What a crash leaves
    behind (`NAME.partial`) is overwritten by the next write.
    """
    partial = path.with_name(path.name + ".partial")
    yield partial
    _sync(partial)
    os.replace(partial, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Returns once the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_array(path: Path, array: np.ndarray) -> None:
    with written_whole(path) as partial, open(partial, "wb") as file:
        np.save(file, array, allow_pickle=False)
