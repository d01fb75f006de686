"""The features of a head as one (N, F) matrix; a large one is read from its files in parts."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sweep.trainable.devices import widest
from sweep.trainable.features.pooling import Shape, chosen, columns, stored

BLOCK_ROWS = 2048
MEMORY_BYTES = 1 << 29  # a larger matrix stays in its files and is read anew for each use
ROUNDING = 2.0**-10  # relative rounding error of float16

Layout = Sequence[tuple[int, str, Shape]]  # for each group of columns: stage, part, and shape of the stage's map
Chunk = dict[str, Tensor]  # (rows, F) float16, mapped from a file


def layout(stages: Sequence[int], shapes: Sequence[Shape], pooling: str) -> Layout:
    """Returns the layout of the columns, in the order in which the net of a head computes them."""
    return [
        (stage, part, shape) for stage, shape in zip(stages, shapes, strict=True) for part in chosen(pooling, shape)
    ]


def name_of(stage: int, part: str) -> str:
    """Returns the name of a part of a stage in the file of a chunk."""
    return f"{stage}.{stored(part)}"


class Features:
    """The features of images: rows in the order of the chunks, columns in the order of the layout.

    Attributes:
      count: the number of rows.
      width: the number of columns.
      matrix: (N, F) float32 standardised features on the device; None before `standardise`, or if they are too large.
    """

    def __init__(
        self, chunks: Sequence[Chunk], columns_of: Layout, device: torch.device, rows: Tensor | None = None
    ) -> None:
        """Describes the matrix; nothing is read but one row.

        Args:
          rows: (N,) int64 on the CPU, the rows of the chunks that are used; None for all of them.
        """
        self.chunks, self.layout, self.device, self.rows = chunks, columns_of, device, rows
        part_name = name_of(*columns_of[0][:2])
        self.starts = torch.tensor([0, *(len(chunk[part_name]) for chunk in chunks)]).cumsum(0)
        self.count = int(self.starts[-1]) if rows is None else len(rows)
        self.is_standardised = False
        self.matrix: Tensor | None = None
        self.width = self._chunk_columns(chunks[0], torch.zeros(1, dtype=torch.int64)).shape[1]

    def standardise(self, mean: Tensor | None = None, std: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gives each feature mean 0 and deviation 1, or applies the given mean and deviation instead.

        Returns:
          The mean and the deviation of each feature. A feature that varies by no more than its rounding error gets the
          deviation 1.
        """
        if mean is None or std is None:
            dtype = widest(self.device)
            zeros = torch.zeros(self.width, dtype=dtype, device=self.device)
            centre = sum((block.to(dtype).sum(0) for block in self.blocks()), zeros) / self.count
            squares = sum(((block.to(dtype) - centre).square().sum(0) for block in self.blocks()), zeros)
            spread = (squares / self.count).sqrt()
            mean, std = centre.float(), torch.where(spread > ROUNDING * centre.abs(), spread, 1.0).float()
        self.mean, self.std, self.is_standardised = mean, std, True
        if 4 * self.count * self.width <= MEMORY_BYTES:
            matrix = torch.empty((self.count, self.width), device=self.device)
            for part, block in zip(matrix.split(BLOCK_ROWS), self.blocks(), strict=True):
                part.copy_(block)
            self.matrix = matrix
        return mean, std

    def blocks(self) -> Iterator[Tensor]:
        """Yields all rows as float32 in blocks of `BLOCK_ROWS`; they are the same if it is not in memory."""
        for rows in torch.arange(self.count).split(BLOCK_ROWS):
            begin, end = int(rows[0]), int(rows[-1]) + 1
            yield self.matrix[begin:end] if self.matrix is not None else self._rows_between(begin, end)

    def take(self, rows: Tensor) -> Tensor:
        """Returns these rows as float32.

        Args:
          rows: (n,) int64, on the CPU.
        """
        if self.matrix is not None:
            return self.matrix[rows.to(self.device)]
        return self._finish(self._stored_rows(rows if self.rows is None else self.rows[rows]))

    def _stored_rows(self, rows: Tensor) -> Tensor:
        """Returns these rows of the chunks as they were stored."""
        values = torch.empty((len(rows), self.width))
        owners = torch.bucketize(rows, self.starts, right=True) - 1
        for owner in owners.unique().tolist():
            places = (owners == owner).nonzero()[:, 0]
            values[places] = self._chunk_columns(self.chunks[owner], rows[places] - self.starts[owner])
        return values

    def _rows_between(self, begin: int, end: int) -> Tensor:
        """Returns the rows from `begin` to `end`, read from the chunks, standardised if that was asked for."""
        if self.rows is not None:
            return self._finish(self._stored_rows(self.rows[begin:end]))
        parts = []
        for chunk, first, last in zip(self.chunks, self.starts.tolist(), self.starts.tolist()[1:], strict=False):
            if first < end and last > begin:
                parts.append(self._chunk_columns(chunk, slice(max(0, begin - first), end - first)))
        return self._finish(torch.cat(parts))

    def _chunk_columns(self, chunk: Chunk, rows: Tensor | slice) -> Tensor:
        """Returns the (n, width) columns of the layout for some rows of a chunk."""
        parts = [columns(part, chunk[name_of(stage, part)][rows].float(), shape) for stage, part, shape in self.layout]
        return torch.cat(parts, dim=1)

    def _finish(self, raw: Tensor) -> Tensor:
        raw = raw.to(self.device)
        return (raw - self.mean) / self.std if self.is_standardised else raw
