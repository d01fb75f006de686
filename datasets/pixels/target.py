"""Where the pixels go while they are read: into an array, or into the pool on the disk."""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweep.datasets.file_tree import FileTree
from sweep.datasets.pixels import Pixels, cache
from sweep.datasets.pixels.form import ARRAY, JPEG, MAPPED, form_of
from sweep.datasets.pixels.pool import Pool, Row, bytes_needed
from sweep.datasets.pixels.stored import StoredPixels
from sweep.datasets.problems import DataError, Problem

SPARE_BYTES = 1 << 30  # of a disk, which are left for others
MEMORY_SHARE = 0.25  # of a machine's, for images that should lie on a disk and cannot

Size = tuple[int, int]  # height and width


class Target(ABC):
    """Takes the pixels of images that are read, and gives them back by their rows.

    Attributes:
      known: what was read before, by name and state of the file.
      takes: what is to be said of the disk before a long reading; empty for nothing.
    """

    known: Mapping[tuple[str, str], Row] = {}
    takes: str = ""

    @abstractmethod
    def put(self, number: int, pixels: np.ndarray) -> tuple[int, int, int]:
        """Takes the image of this number, (H, W, 3); returns start, length and checksum of its bytes, or zeros."""

    def note(self, rows: Iterable[tuple[str, str, Row]]) -> None:  # noqa: B027 (an array has nothing to note)
        """Takes what reading gave, by name and state of the file."""

    @abstractmethod
    def pixels(self, first: int, rows: list[Row]) -> Pixels:
        """Returns the images whose numbers begin at `first`."""


class InMemory(Target):
    """An array for all of them."""

    def __init__(self, count: int, size: Size, place: str) -> None:
        """Raises:
        DataError: it does not fit in memory.
        """
        try:
            self.array = np.empty((count, 3, *size), np.uint8)
        except MemoryError as error:
            got = f"{count} of {size[1]}x{size[0]} px"
            problem = Problem(place, "images must fit in memory", got, "give a smaller --image-size")
            raise DataError([problem]) from error

    def put(self, number: int, pixels: np.ndarray) -> tuple[int, int, int]:
        self.array[number] = pixels.transpose(2, 0, 1)
        return 0, 0, 0

    def pixels(self, first: int, rows: list[Row]) -> Pixels:
        return self.array[first : first + len(rows)]


@dataclass
class InPool(Target):
    """A file."""

    pool: Pool
    size: Size
    takes: str

    @property
    def known(self) -> Mapping[tuple[str, str], Row]:  # type: ignore[override]
        return self.pool.known

    def put(self, number: int, pixels: np.ndarray) -> tuple[int, int, int]:
        return self.pool.put(pixels)

    def note(self, rows: Iterable[tuple[str, str, Row]]) -> None:
        self.pool.add(rows)

    def pixels(self, first: int, rows: list[Row]) -> Pixels:
        places = np.array([(row.start, row.length) for row in rows], np.int64).reshape(-1, 2)
        checksums = np.array([row.checksum for row in rows], np.uint32)
        images = StoredPixels(self.pool.path, self.pool.form, self.size, places, checksums)
        images.hold()
        return images


@contextmanager
def opened(
    tree: FileTree,
    images: Sequence[tuple[str, str]],
    size: Size,
    decoding: Sequence[Any],
    cache_limit: int | None,
    recorded: str | None,
) -> Iterator[Target]:
    """Opens, for the block, what the pixels of some images go to.

    Args:
      images: the name and the state of each.
      decoding: what else decides the pixels, as JSON has it.
      cache_limit, recorded: as `datasets.pixels.form.form_of` has them.

    Raises:
      DataError: there is no room for them.
    """
    count, nbytes = len(images), 3 * size[0] * size[1] * len(images)
    form = form_of(nbytes, cache_limit, recorded)
    if form == ARRAY:
        yield InMemory(count, size, tree.path)
        return
    key = cache.digest_of(tree.path, "pool", form, *decoding).hexdigest()
    pool = None
    try:
        folder = cache.folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pool = Pool(folder, key, form)
    except (OSError, RuntimeError) as error:  # it cannot be written, or there is no home
        if form == JPEG or not fits_memory(nbytes):
            rule = f"there must be a folder for {gigabytes(nbytes)} of pixels, ~/.cache or XDG_CACHE_HOME"
            way_out = "name one that can be written to with XDG_CACHE_HOME"
            raise DataError([Problem("", rule, str(error), way_out)]) from error
    if pool is None:
        yield InMemory(count, size, tree.path)
        return
    with pool:
        missing = sum(not state or (name, state) not in pool.known for name, state in images)
        yield InPool(pool, size, check_room(folder, missing, size, form) if missing else "")


def check_room(folder: Path, count: int, size: Size, form: str) -> str:
    """Returns what a person is told of the disk before so many images are written to it.

    Raises:
      DataError: there is no room for them.
    """
    needed, free = bytes_needed(count, size, form), shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        rule = f"there must be room for the pixels of {count:,} images of {size[1]}x{size[0]} px, {gigabytes(needed)}"
        way_out = "make room, name a folder on a larger disk with XDG_CACHE_HOME, or give a smaller --image-size"
        if form == MAPPED:
            way_out += f", or --cache-limit {max(1, needed // 2)} to keep them as JPEG"
        raise DataError([Problem(str(folder), rule, f"{gigabytes(free)} free", way_out)])
    about = "about " if form == JPEG else ""
    return f"their pixels take {about}{gigabytes(needed)} of the {gigabytes(free)} free in {folder}"


def fits_memory(nbytes: int) -> bool:
    """Says whether pixels that should lie on a disk may lie in memory instead."""
    return nbytes <= MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def gigabytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"
