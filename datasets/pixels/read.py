"""Reads the images of listings in threads: decodes each file to pixels, and hashes it."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from sweep.datasets.decoders.recipe import STRETCH, Recipe, Size, TooLargeError
from sweep.datasets.decoders.words import caught_words
from sweep.datasets.file_tree import FileTree
from sweep.datasets.pixels import Pixels, cache
from sweep.datasets.pixels.pool import ReadImage
from sweep.datasets.pixels.progress import Progress
from sweep.datasets.pixels.rows import take_rows
from sweep.datasets.pixels.target import Target, opened
from sweep.datasets.pixels.threads import in_threads
from sweep.datasets.problems import DataError, Findings, Problem
from sweep.datasets.sources.listing import Listing
from sweep.storage.text import counted

BLOCK = 32  # images per task; one image is too little work for a task
THREADS = min(os.cpu_count() or 1, 16)
WAITING = 4  # tasks per thread that are begun before their results are asked for; the results are small


@dataclass(frozen=True)
class ReadPlan:
    """The way in which images are decoded, and the form in which their pixels are kept.

    Attributes:
      number: the number of the decoding recipe.
      recipe: the recipe itself.
      size: height and width of all images, px.
      resizes: True fits each image to that size; with False, the pixels of an image of another size are dropped, and
        `Read.sizes` tells that size.
      fit: how an image is fitted, one of `datasets.decoders.recipe.FITS`.
      cache_limit: bytes of pixels above which they are kept as JPEG; None for the default.
      form: the form with which the sweep began, see `datasets.pixels.form`; None for a new sweep.
    """

    number: int
    recipe: Recipe
    size: Size
    resizes: bool
    fit: str = STRETCH
    cache_limit: int | None = None
    form: str | None = None


@dataclass(frozen=True)
class Read:
    """The result of reading a listing.

    Attributes:
      images: (N, 3, H, W) uint8; the row of an image with a problem is undefined.
      digests: sha256 of each file; empty for an image with a problem.
      sizes: (H, W) of each image in its file; None for an image with a problem.
      problems: the problem of each image that cannot be used, by row.
      warnings: for each warning about an image that was read nevertheless, the name of the image and the warning.
      remarks: the recipe's remarks on each image.
      too_large: the rows whose problem is that the image has too many pixels.
    """

    images: Pixels
    digests: tuple[str, ...]
    sizes: list[tuple[int, int] | None]
    problems: dict[int, Problem]
    warnings: list[tuple[str, str]]
    remarks: list[tuple[str, ...]]
    too_large: frozenset[int] = frozenset()

    def take(self, rows: np.ndarray) -> "Read":
        """Returns the results of these rows only; `warnings` stay those of all rows."""
        digests, sizes = tuple(self.digests[row] for row in rows), [self.sizes[row] for row in rows]
        remarks = [self.remarks[row] for row in rows]
        number_of = {row: number for number, row in enumerate(rows.tolist())}
        problems = {number_of[row]: problem for row, problem in self.problems.items() if row in number_of}
        too_large = frozenset(number_of[row] for row in self.too_large if row in number_of)
        return Read(take_rows(self.images, rows), digests, sizes, problems, self.warnings, remarks, too_large)


def read_images(tree: FileTree, listings: Mapping[str, Listing], plan: ReadPlan) -> dict[str, Read]:
    """Reads every image of some listings; images that are in the pool already are taken from there.

    Returns:
      The result for each listing, by its name. Problems of single images are in `Read.problems`.

    Raises:
      DataError: there is no room for the pixels.
    """
    names = [file for listing in listings.values() for file in listing.files]
    states = [_state(tree, name) for name in names]
    decoding = [plan.number, plan.size, plan.resizes, plan.fit]
    try:
        with opened(
            tree, list(zip(names, states, strict=True)), plan.size, decoding, plan.cache_limit, plan.form
        ) as target:
            rows = _read_rows(tree, names, states, plan, target)
            reads, first = {}, 0
            for split, listing in listings.items():
                part = rows[first : first + len(listing.files)]
                reads[split] = _build_read(listing, part, target.pixels(first, part))
                first += len(part)
    except OSError as error:  # raised by the target; what is wrong with the file of an image is a problem in its row
        place, way_out = str(cache.folder()), "make room there, or name another folder with XDG_CACHE_HOME"
        raise DataError([Problem(place, "pixels must be written", error.strerror or str(error), way_out)]) from error
    return reads


def _read_rows(
    tree: FileTree, names: Sequence[str], states: Sequence[str], plan: ReadPlan, target: Target
) -> list[ReadImage]:
    """Reads the files that are not in the target yet, and returns the rows of all."""
    stored_rows = [target.known.get(key) if key[1] else None for key in zip(names, states, strict=True)]
    missing = [number for number, row in enumerate(stored_rows) if row is None]
    rows = [row or ReadImage() for row in stored_rows]
    if not missing:
        return rows
    progress = Progress(len(missing), target.space_note)
    size = None if not plan.resizes else plan.size

    with caught_words() as collect:

        def read_one(number: int) -> ReadImage:
            with collect() as words:
                try:
                    data = tree.read(names[number])
                    image = plan.recipe.decode_to(data, size, plan.fit)
                except ValueError as error:
                    return _row_of(error)
            height, width = image.size
            row = ReadImage("", hashlib.sha256(data).hexdigest(), height, width, tuple(words), image.remarks)
            if image.pixels.shape[:2] != plan.size:
                return row
            start, length, checksum = target.put(number, image.pixels)
            return row._replace(start=start, length=length, checksum=checksum)

        def read_block(block: list[int]) -> list[tuple[int, ReadImage]]:
            return [(number, read_one(number)) for number in block]

        blocks = (missing[start : start + BLOCK] for start in range(0, len(missing), BLOCK))
        # The threads end before the target is closed. Otherwise an interruption could leave a thread that writes to a
        # file number which by then belongs to another file.
        with closing(in_threads(read_block, blocks, THREADS, WAITING * THREADS)) as results:
            for block in results:
                for number, row in block:
                    rows[number] = row
                # A file with an error is not recorded, so the next start reads it again: the disk may have caused the
                # error.
                target.note((names[number], states[number], row) for number, row in block if not row.error)
                progress.advance(len(block))
        progress.close()
    return rows


def _build_read(listing: Listing, rows: list[ReadImage], images: Pixels) -> Read:
    """Returns the result for a listing, made of its rows and its pixels."""
    return Read(
        images,
        tuple(row.digest for row in rows),
        [(row.height, row.width) if row.digest else None for row in rows],
        {number: _problem(listing, number, row) for number, row in enumerate(rows) if row.error},
        [(listing.named(number), word) for number, row in enumerate(rows) for word in row.words],
        [row.remarks for row in rows],
        frozenset(number for number, row in enumerate(rows) if row.is_too_large),
    )


def _row_of(error: ValueError) -> ReadImage:
    """Returns the row of an image that could not be read."""
    return ReadImage(
        str(error),
        way_out=getattr(error, "way_out", "replace it"),
        is_too_large=isinstance(error, TooLargeError),
        cause=getattr(error, "cause", ""),
        is_of_machine=getattr(error, "is_of_machine", False),
    )


def _problem(listing: Listing, number: int, row: ReadImage) -> Problem:
    """Returns the problem of an image whose row holds an error."""
    problem = listing.problem(number, row.error, "", row.way_out)
    return replace(problem, cause=row.cause, is_of_machine=row.is_of_machine)


def _state(tree: FileTree, name: str) -> str:
    """Returns the state of a file, or of the archive that holds it.

    It is empty if the file changed so recently that another change might not show in its time stamp.
    """
    stamp = tree.stamps.get(name)
    while stamp is None and name:
        name = name.rpartition("/")[0]
        stamp = tree.stamps.get(name)
    if stamp is None or not cache.is_settled(tree, stamp):
        return ""
    return "-".join(f"{number:x}" for number in stamp)


def divided(reads: Mapping[str, Read], train: Listing, listings: Mapping[str, Listing]) -> dict[str, Read]:
    """Returns the results after the train split was divided among several listings.

    Args:
      reads: the results by split, with those of the undivided train split as `train`.
      train: the listing of the train split before it was divided.
      listings: the listings that it was divided among, and others, which keep their results.
    """
    row_of = {file: row for row, file in enumerate(train.files)}
    parts = {
        split: reads["train"].take(np.array([row_of[file] for file in listing.files], np.int64))
        for split, listing in listings.items()
        if split == "train" or split not in reads
    }
    return {**reads, **parts}


def note_warnings(reads: Iterable[Read], findings: Findings) -> None:
    """Adds a note about images that were read with a warning, and one for each kind of remark of the recipe."""
    reads = list(reads)
    warnings = [warning for read in reads for warning in read.warnings]
    if warnings:
        count = len({place for place, _ in warnings})
        place, word = warnings[0]
        findings.notes.append(
            f"Read with a warning, of what stands beside the pixels: {counted(count, 'image')}, first {place}: {word}"
        )
    remarks = Counter(remark for read in reads for each in read.remarks for remark in each)
    findings.notes.extend(f"{counted(count, 'image')}: {remark}." for remark, count in sorted(remarks.items()))


def first_size(tree: FileTree, listings: dict[str, Listing], recipe: Recipe) -> tuple[int, int]:
    """Returns (H, W) of the first image that can be decoded; the other images must have the same size."""
    with caught_words() as collect, collect():  # warnings are reported once all images are read
        for listing in listings.values():
            for file in listing.files:
                try:
                    return recipe.decode_to(tree.read(file), None, STRETCH).size
                except ValueError:
                    continue
    return 1, 1  # no image can be decoded, which is a problem of each of them
