"""Gives a net its images while it trains: all of them lie on its device, or they come a batch at a time.

The pixels are the same either way, and so are the random draws. The outputs of a net's frozen stages are handled as
images are: rows of (C, H, W), of another dtype.
"""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sweep.datasets.augment.batch_rows import take
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.rows import parent_and_rows, read_into
from sweep.datasets.pixels.threads import in_threads
from sweep.trainable.devices import free_bytes
from sweep.trainable.upload import way_to

GPU_SHARE = 0.25  # of a GPU's free memory; a data set that needs more goes there batch by batch
UPLOADED_BYTES = 64 << 20  # at a time, while a whole data set is moved to a GPU
CPU = torch.device("cpu")
AHEAD = 2  # batches that are ready or being read, beside the one that is asked for
PIECE_BYTES = 1 << 20  # the least that a thread reads of a batch: handing over less would take longer than reading it


def on_device(images: np.ndarray, device: torch.device) -> Tensor:
    """Returns (N, C, H, W) pixels as a tensor on the device; on a CPU without a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray shares arrays read-only, and torch warns of those
        return torch.from_numpy(images).to(device)


def placed(images: Pixels, device: torch.device) -> Tensor | Pixels:
    """Returns all images as a tensor on the device, or `images` itself if they go there batch by batch.

    On a CPU an array is used in place, and images in a file stay in their file. To a GPU the whole data set is moved if
    it is small relative to the free memory.
    """
    if device.type == "cpu":
        return on_device(images, device) if isinstance(images, np.ndarray) else images
    if images.nbytes > GPU_SHARE * free_bytes(device):
        return images
    count = max(1, UPLOADED_BYTES * len(images) // max(1, images.nbytes))
    try:
        tensor = torch.empty(images.shape, dtype=on_device(images[:1], CPU).dtype, device=device)
        for number, batch in enumerate(parts(images, count, device)):
            tensor[number * count : number * count + len(batch)] = batch
    except torch.OutOfMemoryError:  # another trial took the memory first
        return images
    return tensor


def ahead(images: Pixels, batch_rows: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
    """Yields one batch of images on the device for each array of rows, in order.

    Threads read the next batches while the net is busy with the one before. Several threads read one batch together, so
    that an epoch's first batch is there soon and only a few batches take memory.
    """
    threads = max(1, torch.get_num_threads())
    shape, dtype = images.shape[1:], on_device(images[:1], CPU).dtype
    image_bytes = max(1, math.prod(shape) * dtype.itemsize)
    way = way_to(device)

    def pieces() -> Iterator[_Piece]:
        for rows in batch_rows:
            batch = way.empty((len(rows), *shape), dtype)
            count = max(1, min(threads, len(rows) * image_bytes // PIECE_BYTES))
            ends = [len(rows) * number // count for number in range(count + 1)]
            for start, end in pairwise(ends):
                yield _Piece(batch, start, end, rows[start:end])

    def fill(piece: _Piece) -> tuple[_Piece, Any]:
        part = piece.batch[piece.start : piece.end]
        return piece, way.fill(part, lambda pixels: read_into(pixels, images, piece.rows))

    filled: list[Any] = []
    with closing(in_threads(fill, pieces(), threads, threads * (1 + AHEAD))) as results:
        for piece, result in results:
            filled.append(result)
            if piece.end == len(piece.batch):
                yield way.arrived(piece.batch, filled)
                filled = []


class _Piece(NamedTuple):
    """The images of a batch from `start` to `end`, with their rows."""

    batch: Tensor
    start: int
    end: int
    rows: np.ndarray


def together(images: Pixels, rows: np.ndarray, device: torch.device) -> Tensor:
    """Returns the images of these rows on the device, read by several threads."""
    (batch,) = ahead(images, [rows], device)
    return batch


def parts(images: Tensor | Pixels, size: int, device: torch.device) -> Iterator[Tensor]:
    """Yields all images in their order as tensors on the device, `size` images at a time."""
    if isinstance(images, Tensor):
        yield from images.split(size)
        return
    starts = range(0, len(images), size)
    yield from ahead(images, (np.arange(start, min(start + size, len(images))) for start in starts), device)


class TrainingImages:
    """The training images, which a step takes by their rows.

    `begin` announces an epoch's batches, `load` makes the next batch ready, and `take` returns it. A CUDA graph holds
    only `take`, so that reading stays outside of it.
    """

    def __init__(self, images: Pixels, device: torch.device, batch_size: int) -> None:
        """Places the images on the device if they fit there.

        Args:
          batch_size: the largest number of images in a batch.
        """
        self.device, self.count, self.size = device, len(images), images.shape[2:]
        self.images, self.rows = _placed_rows(images, device)
        self.batches: Iterator[Tensor] = iter(())
        self.batch = torch.empty(0)
        if not isinstance(self.images, Tensor) and device.type == "cuda":
            # Every batch lies at the same place, because a graph reads where it was captured.
            dtype = on_device(images[:1], CPU).dtype
            self.batch = torch.empty((batch_size, *images.shape[1:]), dtype=dtype, device=device)

    def begin(self, batch_rows: Sequence[Tensor]) -> None:
        """Begins to read an epoch's batches, unless all images are on the device already.

        Args:
          batch_rows: for each batch of the epoch, in order, the rows of its images, (N,) int64.
        """
        if not isinstance(self.images, Tensor):
            order = torch.cat(list(batch_rows)).cpu().numpy()  # together: the host waits once for the device
            ends = np.cumsum([len(rows) for rows in batch_rows])
            self.batches = ahead(self.images, np.split(order, ends[:-1]), self.device)

    def load(self) -> None:
        """Makes the next batch of the epoch the one that `take` returns."""
        if not isinstance(self.images, Tensor):
            batch = next(self.batches)
            if self.device.type == "cuda":
                self.batch[: len(batch)].copy_(batch)
            else:
                self.batch = batch

    def take(self, rows: Tensor) -> Tensor:
        """Returns the images of these rows, which are the batch that was loaded last."""
        if not isinstance(self.images, Tensor):
            return self.batch[: len(rows)]
        return take(self.images, rows if self.rows is None else self.rows[rows])


def _placed_rows(images: Pixels, device: torch.device) -> tuple[Tensor | Pixels, Tensor | None]:
    """Returns the result of `placed`, and which of its rows are the images, or None if all of them are.

    If the images are some rows of a larger set, the whole set is placed, so that nothing is copied on a CPU.
    """
    parent, rows = parent_and_rows(images)
    pixels = placed(parent, device)
    if rows is None or not isinstance(pixels, Tensor):
        return images if rows is not None else pixels, None
    return pixels, torch.from_numpy(rows).to(device)
