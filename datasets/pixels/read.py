"""Reads the images of a listing: bytes to pixels, with a digest of each file."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numpy as np

from datasets.decoders.recipe_1 import decode, resize
from datasets.decoders.words import caught_words
from datasets.file_tree import FileTree
from datasets.problems import DataError, Findings, Problem
from datasets.sources.listing import Listing
from storage.text import counted

BLOCK = 32  # images a task; one is too little work for a thread


@dataclass(frozen=True)
class Read:
    """What reading a listing gave.

    Attributes:
      images: (N, 3, H, W) uint8; a row is undefined where there is a problem.
      digests: sha256 of each whole file; empty where there is a problem.
      sizes: (H, W) of each image in its file; None where there is a problem.
      problems: of single images, by row.
      warnings: what Pillow warned of in an image that was read all the same: the image, and the warning.
    """

    images: np.ndarray
    digests: tuple[str, ...]
    sizes: list[tuple[int, int] | None]
    problems: dict[int, Problem]
    warnings: list[tuple[str, str]]

    def take(self, rows: np.ndarray) -> "Read":
        """Returns these rows alone, none of which has a problem."""
        digests, sizes = tuple(self.digests[row] for row in rows), [self.sizes[row] for row in rows]
        return Read(self.images[rows], digests, sizes, {}, self.warnings)


def read_images(tree: FileTree, listing: Listing, size: tuple[int, int], resizes: bool) -> Read:
    """Reads every image of a listing in threads.

    Args:
      size: (H, W) px; where `resizes` is False, an image of another size is told by `sizes`, its pixels left out.

    Raises:
      DataError: the pixels do not fit in memory. What is wrong with single images is in `problems`.
    """
    try:
        images = np.empty((len(listing.ids), 3, *size), np.uint8)
    except MemoryError as error:
        got = f"{len(listing.ids)} of {size[1]}x{size[0]} px"
        problem = Problem(tree.path, "images must fit in memory", got, "give a smaller --image-size")
        raise DataError([problem]) from error

    def read_one(row: int) -> tuple[str, tuple[int, int] | None, Problem | None, list[str]]:
        """Returns the digest, the size, the problem and the warnings."""
        with warned() as warnings:
            try:
                data = tree.read(listing.files[row])
                image = decode(data)
            except ValueError as error:
                return "", None, listing.problem(row, str(error), "", "replace it"), []
        if resizes or image.shape[:2] == size:
            images[row] = resize(image, size).transpose(2, 0, 1)
        return hashlib.sha256(data).hexdigest(), image.shape[:2], None, warnings

    def read_block(start: int) -> list[tuple[str, tuple[int, int] | None, Problem | None, list[str]]]:
        return [read_one(row) for row in range(start, min(start + BLOCK, len(listing.ids)))]

    with caught_words() as warned, ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        results = list(chain.from_iterable(pool.map(read_block, range(0, len(listing.ids), BLOCK))))
    return Read(
        images,
        tuple(digest for digest, _, _, _ in results),
        [size for _, size, _, _ in results],
        {row: problem for row, (_, _, problem, _) in enumerate(results) if problem},
        [(listing.named(row), word) for row, (_, _, _, words) in enumerate(results) for word in words],
    )


def note_warnings(reads: Iterable[Read], findings: Findings) -> None:
    """Adds a note of the images that were read with a warning."""
    warnings = [warning for read in reads for warning in read.warnings]
    if warnings:
        count = len({place for place, _ in warnings})
        place, word = warnings[0]
        findings.notes.append(
            f"Read with a warning, of what stands beside the pixels: {counted(count, 'image')}, first {place}: {word}"
        )


def first_size(tree: FileTree, listings: dict[str, Listing]) -> tuple[int, int]:
    """Returns (H, W) of the first image that can be decoded; all others must have it."""
    with caught_words() as warned, warned():  # they are said when all images are read
        for listing in listings.values():
            for file in listing.files:
                try:
                    height, width, _ = decode(tree.read(file)).shape
                except ValueError:
                    continue
                return height, width
    return 1, 1  # none can: each is a problem already
