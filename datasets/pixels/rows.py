"""Pixels that are rows of other pixels: those of two splits joined, or some of one split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.form import ARRAY
from sweep.datasets.pixels.stored import StoredPixels


@dataclass(frozen=True)
class JoinedPixels:
    """The images of `first`, followed by those of `second`, as one `datasets.pixels.Pixels`."""

    first: Pixels
    second: Pixels

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, 3, H, W) of all images together."""
        return len(self), *self.first.shape[1:]

    @property
    def form(self) -> str:
        """The form in which the images of `first` are kept."""
        return getattr(self.first, "form", ARRAY)

    @property
    def nbytes(self) -> int:
        """The size of all pixels, uncompressed, in bytes."""
        return self.first.nbytes + self.second.nbytes

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> np.ndarray:
        indices = np.arange(len(self))[rows]
        flat = indices.ravel()
        images = np.empty((len(flat), *self.shape[1:]), np.uint8)
        is_first = flat < len(self.first)
        images[is_first] = self.first[flat[is_first]]
        images[~is_first] = self.second[flat[~is_first] - len(self.first)]
        return images if indices.ndim else images[0]


@dataclass(frozen=True)
class ChosenPixels:
    """Some rows of other pixels, as `datasets.pixels.Pixels`; nothing is copied until they are read.

    Attributes:
      images: the pixels that these are rows of.
      rows: (n,) int64 row numbers.
    """

    images: Pixels
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, 3, H, W) of the chosen images."""
        return len(self), *self.images.shape[1:]

    @property
    def form(self) -> str:
        """The form in which the images are kept."""
        return getattr(self.images, "form", ARRAY)

    @property
    def nbytes(self) -> int:
        """The size of the chosen pixels, uncompressed, in bytes."""
        return self.images.nbytes * len(self) // max(1, len(self.images))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> np.ndarray:
        images: np.ndarray = self.images[self.rows[rows]]
        return images


def parent_and_rows(images: Pixels) -> tuple[Pixels, np.ndarray | None]:
    """Returns the pixels that `images` are rows of, and the row numbers.

    If they are not rows of other pixels, returns `images` itself and None.
    """
    return (images.images, images.rows) if isinstance(images, ChosenPixels) else (images, None)


def read_into(pixels: np.ndarray, images: Pixels, rows: np.ndarray) -> None:
    """Fills an array with the images of these rows; images in a file are read straight into it, without a copy.

    Args:
      pixels: (n, 3, H, W) uint8, overwritten.
      images: the images to read from.
      rows: (n,) row numbers.
    """
    parent, parent_rows = parent_and_rows(images)
    if isinstance(parent, StoredPixels):
        parent.read_into(pixels, rows if parent_rows is None else parent_rows[rows])
    else:
        pixels[:] = images[rows]


def joined(first: Pixels, second: Pixels) -> Pixels:
    """Returns the images of both, one after the other: an array if both are arrays."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    return JoinedPixels(first, second)


def take_rows(images: Pixels, rows: np.ndarray) -> Pixels:
    """Returns the images of these rows; images that lie in a file stay there."""
    if isinstance(images, StoredPixels):
        return images.take(rows)
    selection: np.ndarray = images[rows]
    return selection
