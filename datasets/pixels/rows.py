"""Rows of two splits as one, and some rows of one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.form import ARRAY
from sweep.datasets.pixels.stored import StoredPixels


@dataclass(frozen=True)
class JoinedPixels:
    """The rows of the first, then those of the second; `datasets.pixels.Pixels`."""

    first: Pixels
    second: Pixels

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self.first.shape[1:]

    @property
    def form(self) -> str:
        return getattr(self.first, "form", ARRAY)

    @property
    def nbytes(self) -> int:
        return self.first.nbytes + self.second.nbytes

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> np.ndarray:
        chosen = np.arange(len(self))[rows]
        flat = chosen.ravel()
        images = np.empty((len(flat), *self.shape[1:]), np.uint8)
        is_first = flat < len(self.first)
        images[is_first] = self.first[flat[is_first]]
        images[~is_first] = self.second[flat[~is_first] - len(self.first)]
        return images if chosen.ndim else images[0]


@dataclass(frozen=True)
class ChosenPixels:
    """Some rows of images, which stay where they lie; `datasets.pixels.Pixels`.

    Attributes:
      rows: (n,) int64 of `images`.
    """

    images: Pixels
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self.images.shape[1:]

    @property
    def form(self) -> str:
        return getattr(self.images, "form", ARRAY)

    @property
    def nbytes(self) -> int:
        return self.images.nbytes * len(self) // max(1, len(self.images))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> np.ndarray:
        some: np.ndarray = self.images[self.rows[rows]]
        return some


def whole(images: Pixels) -> tuple[Pixels, np.ndarray | None]:
    """Returns the images that some are rows of, and which; the images themselves and None where they are no rows."""
    return (images.images, images.rows) if isinstance(images, ChosenPixels) else (images, None)


def read_into(pixels: np.ndarray, images: Pixels, rows: np.ndarray) -> None:
    """Puts the images of these rows into an array of their shape; what lies in a file is read straight into it."""
    some, every = whole(images)
    if isinstance(some, StoredPixels):
        some.read_into(pixels, rows if every is None else every[rows])
    else:
        pixels[:] = images[rows]


def joined(first: Pixels, second: Pixels) -> Pixels:
    """Returns the rows of both, one after the other: an array where both are arrays."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    return JoinedPixels(first, second)


def taken(images: Pixels, rows: np.ndarray) -> Pixels:
    """Returns these rows; what lies in a file stays there."""
    if isinstance(images, StoredPixels):
        return images.take(rows)
    some: np.ndarray = images[rows]
    return some
