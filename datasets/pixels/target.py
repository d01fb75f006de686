"""Targets, which take the pixels while images are read: an array, or the pool on the disk."""

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
from sweep.datasets.pixels.pool import Pool, ReadImage, bytes_needed
from sweep.datasets.pixels.stored import StoredPixels
from sweep.datasets.problems import DataError, Problem

SPARE_BYTES = 1 << 30  # bytes of a disk that are left free for others
MEMORY_SHARE = 0.25  # of the machine's memory: images that should lie on a disk, but cannot, may take so much

Size = tuple[int, int]  # height and width


class Target(ABC):
    """The place that takes the pixels of images while they are read, and gives them back as `Pixels`.

    Attributes:
      known: the rows of images that were read before, by name and state of their file.
      space_note: what the progress line says about disk space; empty for nothing.
    """

    known: Mapping[tuple[str, str], ReadImage] = {}
    space_note: str = ""

    @abstractmethod
    def put(self, number: int, pixels: np.ndarray) -> tuple[int, int, int]:
        """Takes the pixels (H, W, 3) of the image with this number.

        Returns:
          The start, the length and the checksum of its bytes; zeros if the pixels are in memory.
        """

    def note(self, rows: Iterable[tuple[str, str, ReadImage]]) -> None:  # noqa: B027 (an array has nothing to note)
        """Records the results of reading, each with the name and the state of its file."""

    @abstractmethod
    def pixels(self, first: int, rows: list[ReadImage]) -> Pixels:
        """Returns the pixels of the images with these rows, the first of which has the number `first`."""


class InMemory(Target):
    """An array in memory for the pixels of all images."""

    def __init__(self, count: int, size: Size, place: str) -> None:
        """Allocates the array.

        Raises:
          DataError: it does not fit in memory.
        """
        try:
            self.array = np.empty((count, 3, *size), np.uint8)
        except MemoryError as error:
            got = f"{count} of {size[1]}x{size[0]} px"
            problem = Problem(place, "images must fit in memory", got, "give a smaller --image-size")
            raise DataError([problem]) from error

    def put(self, number: int, pixels: np.ndarray) -> tuple[int, int, int]:
        """Copies the pixels into the array."""
        self.array[number] = pixels.transpose(2, 0, 1)
        return 0, 0, 0

    def pixels(self, first: int, rows: list[ReadImage]) -> Pixels:
        """Returns the part of the array that holds these images."""
        return self.array[first : first + len(rows)]


@dataclass
class InPool(Target):
    """A pool on the disk for the pixels of all images.

    Attributes:
      pool: the open pool.
      size: height and width of every image, px.
      space_note: what the progress line says about disk space.
    """

    pool: Pool
    size: Size
    space_note: str

    @property
    def known(self) -> Mapping[tuple[str, str], ReadImage]:  # type: ignore[override]
        """The rows that the pool has from earlier starts."""
        return self.pool.known

    def put(self, number: int, pixels: np.ndarray) -> tuple[int, int, int]:
        """Appends the pixels to the pool."""
        return self.pool.put(pixels)

    def note(self, rows: Iterable[tuple[str, str, ReadImage]]) -> None:
        """Records the results in the pool."""
        self.pool.add(rows)

    def pixels(self, first: int, rows: list[ReadImage]) -> Pixels:
        """Returns the images in the pool's file, which is opened here."""
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
    sweep_form: str | None,
) -> Iterator[Target]:
    """Opens the target for the pixels of some images, and closes it after the block.

    Args:
      tree: the data set.
      images: the name and the state of each image's file.
      size: height and width of every image, px.
      decoding: what else decides the pixels, as values that JSON can hold.
      cache_limit: see `datasets.pixels.form.form_of`.
      sweep_form: see `datasets.pixels.form.form_of`.

    Raises:
      DataError: there is no room for the pixels.
    """
    count, nbytes = len(images), 3 * size[0] * size[1] * len(images)
    form = form_of(nbytes, cache_limit, sweep_form)
    if form == ARRAY:
        yield InMemory(count, size, tree.path)
        return
    key = cache.digest_of(tree.path, "pool", form, *decoding).hexdigest()
    pool = None
    try:
        folder = cache.folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pool = Pool(folder, key, form)
    except (OSError, RuntimeError) as error:  # the folder cannot be written to, or the user has no home folder
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
    """Checks that the disk has room for `count` images; returns a phrase about the space for the progress line.

    Raises:
      DataError: the disk has no room for them.
    """
    nbytes, free = bytes_needed(count, size, form), shutil.disk_usage(folder).free
    if nbytes + SPARE_BYTES > free:
        rule = f"there must be room for the pixels of {count:,} images of {size[1]}x{size[0]} px, {gigabytes(nbytes)}"
        way_out = "make room, name a folder on a larger disk with XDG_CACHE_HOME, or give a smaller --image-size"
        if form == MAPPED:
            way_out += f", or --cache-limit {max(1, nbytes // 2)} to keep them as JPEG"
        raise DataError([Problem(str(folder), rule, f"{gigabytes(free)} free", way_out)])
    prefix = "about " if form == JPEG else ""
    return f"their pixels take {prefix}{gigabytes(nbytes)} of the {gigabytes(free)} free in {folder}"


def fits_memory(nbytes: int) -> bool:
    """Returns whether pixels that should lie on a disk may lie in memory instead."""
    return nbytes <= MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def gigabytes(number: int) -> str:
    """Returns a number of bytes for people: `1.2 GB`, or `300 MB` if it is less than 1 GB."""
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"
