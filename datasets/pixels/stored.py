"""Images that lie in a file, of which only the rows that are asked for are read."""

import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sweep.datasets.pixels.form import JPEG, MAPPED
from sweep.storage.files import DamagedError

AGAIN = "remove it, and the next start reads the images again"


class StoredPixels:
    """The images in a file of pixels, as `datasets.pixels.Pixels`.

    The file is read by system calls and not mapped into memory. What was read does therefore not count as memory of the
    process, and a file that became shorter gives an error at that read, while a mapping would end the process. Each
    image is compared with its checksum the first time that this object reads it.

    Args:
      path: the file, whose content never changes.
      form: `MAPPED` or `JPEG`.
      size: height and width of every image, px.
      places: (N, 2) int64: where the bytes of each image begin, and how many they are.
      checksums: (N,) uint32, CRC-32 of these bytes.
    """

    def __init__(self, path: Path, form: str, size: tuple[int, int], places: np.ndarray, checksums: np.ndarray) -> None:
        self.path, self.form, self.size = path, form, size
        self.places, self.checksums = places, checksums
        self._is_checked = np.zeros(len(places), bool)
        self._file_lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Returns how another process makes this object again: it opens the file by its path."""
        return StoredPixels, (self.path, self.form, self.size, self.places, self.checksums)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, H, W) of all images."""
        return len(self.places), 3, *self.size

    @property
    def nbytes(self) -> int:
        """The size of all pixels, uncompressed, in bytes."""
        return len(self.places) * 3 * self.size[0] * self.size[1]

    @property
    def end(self) -> int:
        """The position in the file, in bytes, at which the last of these images ends."""
        return int(self.places.sum(axis=1).max(initial=0))

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, rows: slice | int | Sequence[int] | np.ndarray, /) -> np.ndarray:
        """Returns a uint8 array: (3, H, W) for one row, (n, 3, H, W) for several rows, in their order.

        Raises:
          DamagedError: the file does not hold what was written into it.
          OSError: the file cannot be read.
        """
        indices = np.arange(len(self))[rows]
        images = np.empty((indices.size, 3, *self.size), np.uint8)
        self.read_into(images, indices.ravel())
        return images if indices.ndim else images[0]

    def read_into(self, images: np.ndarray, rows: np.ndarray) -> None:
        """Reads the images that `self[rows]` would return into an array.

        Args:
          images: (n, 3, H, W) uint8, contiguous; overwritten.
          rows: (n,) row numbers, none negative.
        """
        for image, row in zip(images, rows.tolist(), strict=True):
            self._read_into(image, row)

    def take(self, rows: np.ndarray) -> "StoredPixels":
        """Returns the images of these rows, in the same file."""
        selection = StoredPixels(self.path, self.form, self.size, self.places[rows], self.checksums[rows])
        selection.__dict__["_file"] = self._file
        return selection

    def in_copy(self, path: Path) -> "StoredPixels":
        """Returns the same images in a copy of the file at `path`."""
        return StoredPixels(path, self.form, self.size, self.places, self.checksums)

    def hold(self) -> None:
        """Opens the file, so that it can be read even if its name is removed later.

        Raises:
          OSError: there is no such file.
        """
        _ = self._file

    @cached_property
    def _file(self) -> "_OpenFile":
        with self._file_lock:
            return self.__dict__.get("_file") or _OpenFile(self.path)

    def _read_into(self, image: np.ndarray, row: int) -> None:
        start, length = self.places[row].tolist()
        data: Any = image if self.form == MAPPED else bytearray(length)
        if length != len(memoryview(data).cast("B")) or os.preadv(self._file.number, [data], start) != length:
            raise DamagedError(self.path, f"has no {length} bytes at {start}", AGAIN)
        if not self._is_checked[row]:
            if zlib.crc32(data) != self.checksums[row]:
                raise DamagedError(self.path, f"its checksum is not that of the {length} bytes at {start}", AGAIN)
            self._is_checked[row] = True
        if self.form == JPEG:
            decode_into(image, data)


QUALITIES = (95, 98, 100)  # of JPEG, tried in turn until the pixels are near enough
MOST_DIFFERENT = 2.0  # grey levels by which an image and its JPEG may differ, on average


def encoded(pixels: np.ndarray, form: str) -> bytes:
    """Returns the bytes as which an image (H, W, 3) is stored.

    A JPEG differs from the image by at most `MOST_DIFFERENT` grey levels on average. An image of which no JPEG comes
    that near, for example one of noise, is stored as PNG.
    """
    if form == MAPPED:
        return pixels.transpose(2, 0, 1).tobytes()
    import cv2

    bgr = np.ascontiguousarray(pixels[..., ::-1])
    for quality in QUALITIES:
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
        flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        data = cv2.imencode(".jpg", bgr, flags)[1]
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if decoded is not None and cv2.norm(decoded, bgr, cv2.NORM_L1) <= MOST_DIFFERENT * bgr.size:
            return data.tobytes()
    return cv2.imencode(".png", bgr)[1].tobytes()


def decode_into(image: np.ndarray, data: bytes | bytearray) -> None:
    """Fills an image (3, H, W), contiguous, from bytes that `encoded` made for the form JPEG.

    Raises:
      ValueError: they are no image of this size.
    """
    import cv2  # imported here because a worker that reads uncompressed pixels does not need it

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    size = image.shape[1:]
    if pixels is None or pixels.shape[:2] != size:
        raise ValueError(f"an image that was stored cannot be decoded to {size[1]}x{size[0]} px")
    cv2.split(pixels, list(image))  # a fifth of the time of a transposed copy


class _OpenFile:
    """A file that stays open as long as this object exists, with a lock that keeps `cache.tidy` from removing it."""

    def __init__(self, path: Path) -> None:
        import fcntl

        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(OSError):  # it is being removed, or its file system has no locks; an open file can be read anyway
            fcntl.flock(self.number, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)
