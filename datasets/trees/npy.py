"""Arrays of images and labels whose values lie in order behind a header: `.npy`, and formats that are read like it."""

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweep.datasets.trees import NamedArray, PixelsError, RowNames, Store
from sweep.datasets.trees.regions import Region

MAGIC = b"\x93NUMPY\x01\x00"
HEADER_BYTES = 128
MOST_HEADER = 1 << 16  # bytes of the longest header that is read
# a header may ask for so many times the bytes of the file: a cut file lacks some images, a damaged header asks for more
MOST_TIMES = 2
MOST_VALUES = 256 << 20  # bytes of labels, which are read as a whole
MIN_SIDE = 2  # px
CHANNELS = (1, 3, 4)
SAMPLE = 64  # rows by which the scale of floats is recognised
PICKLED = "it holds Python objects, and to read them is to run the code in them; save numbers or text by numpy.savez"


def npy_bytes(image: np.ndarray) -> bytes:
    """Returns the `.npy` file of a uint8 image of (H, W) or (H, W, C).

    `numpy.save` is not used, because its header may differ between versions: an image is recognised by a hash of these
    bytes.
    """
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {image.shape}, }}"
    length = HEADER_BYTES - len(MAGIC) - 2
    text = header.ljust(length - 1) + "\n"
    return MAGIC + length.to_bytes(2, "little") + text.encode("ascii") + np.ascontiguousarray(image).tobytes()


@dataclass(frozen=True)
class RawArray:
    """Numbers in a region, in C order.

    Attributes:
      region: the bytes.
      start: where the numbers begin, in bytes.
      shape: the shape of the array.
      dtype: the type of its numbers.
    """

    region: Region
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """The size of a row in bytes."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Returns the rows from `start` up to, but not including, `stop`.

        Raises:
          ValueError: the data ends before.
        """
        size = (stop - start) * self.row_bytes
        data = self.region.read(self.start + start * self.row_bytes, size)
        if len(data) != size:
            raise ValueError(f"row {start:,} is missing: the data ends before it")
        return np.frombuffer(data, self.dtype).reshape(stop - start, *self.shape[1:])


def parse_npy(region: Region) -> RawArray | str:
    """Reads the header of a `.npy` file; returns its array, or the reason why the array cannot be read.

    Raises:
      ValueError: it is not such a file.
    """
    head = region.read(0, 12)
    if not head.startswith(MAGIC[:6]) or len(head) < 12 or head[6] not in (1, 2, 3):
        raise ValueError(f"no .npy file, but one that begins with {head[:6]!r}")
    width = 2 if head[6] == 1 else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    if length > MOST_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    try:
        header = ast.literal_eval(region.read(8 + width, length).decode("utf-8" if head[6] == 3 else "latin-1"))
        descr, in_columns, shape = header["descr"], header["fortran_order"], tuple(header["shape"])
        dtype = np.dtype(descr)
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"a header that cannot be read ({error})") from error
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"a shape of {shape}")
    if dtype.hasobject:
        return PICKLED
    if dtype.names:
        return "its rows are records; save its fields as arrays of their own"
    if in_columns and len(shape) > 1:
        return "it is in Fortran order; save numpy.ascontiguousarray of it"
    array = RawArray(region, 8 + width + length, shape, dtype)
    size = array.start + math.prod(shape) * dtype.itemsize
    if size > MOST_TIMES * region.size or not dtype.itemsize:
        raise ValueError(f"{region.size:,} bytes where its header says {size:,}")
    return array


def image_axes(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Returns height, width and channels of the images in the rows of an array; None if the rows are not images.

    Channels are 0 for grey images without an axis of channels. The axis of channels is the last one, or the first if
    only that fits; then their number is negative.
    """
    if len(shape) == 3 and min(shape[1:]) >= MIN_SIDE:
        return shape[1], shape[2], 0
    if len(shape) == 4 and shape[3] in CHANNELS and min(shape[1:3]) >= MIN_SIDE:
        return shape[1], shape[2], shape[3]
    if len(shape) == 4 and shape[1] in CHANNELS and min(shape[2:]) >= MIN_SIDE:
        return shape[2], shape[3], -shape[1]
    return None


def to_image(row: np.ndarray, scale: float) -> np.ndarray:
    """Returns a row as a uint8 image of (H, W) or (H, W, C).

    Args:
      row: the values of a row.
      scale: the factor by which values are multiplied before they are rounded.

    Raises:
      PixelsError: a value is then not finite, or not in [0, 255].
    """
    axes = image_axes((1, *row.shape))
    if axes is not None and axes[2] < 0:
        row = row.transpose(1, 2, 0)
    if row.ndim == 3 and row.shape[2] == 1:
        row = row[..., 0]
    if row.dtype == np.uint8:
        return row
    values = row * scale if scale != 1 else row
    if row.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise PixelsError("values that are not finite", "put numbers in their place, or leave these rows out")
        values = np.round(values)
    if values.size and not (values.min() >= 0 and values.max() <= 255):
        got = f"values from {row.min():.6g} to {row.max():.6g}, where pixels are 0 to 255 (floats: 0 to 1)"
        raise PixelsError(got, "scale the whole array x: (x - x.min()) / (x.max() - x.min()), and save it again")
    return values.astype(np.uint8)


class ArrayStore(Store):
    """A store of arrays whose rows are images; they are named by their array, if it has a name, and their number."""

    has_rows = True

    def __init__(self, arrays: dict[str, Any]) -> None:
        super().__init__()
        self._arrays: dict[str, Any] = {}
        self._scales: dict[str, float] = {}
        files: dict[str, int] = {}
        for name, array in arrays.items():
            if isinstance(array, str):
                self.arrays.append(NamedArray(name, (), why_not=array))
                continue
            entry = NamedArray(name, array.shape)
            axes = image_axes(array.shape)
            if axes and array.dtype.kind in "buif" and array.shape[0]:
                names = RowNames(name, array.shape[0])
                entry = replace(entry, images=names)
                self._arrays[name] = array
                self._scales[name] = scale_of(array)
                size = HEADER_BYTES + axes[0] * axes[1] * max(1, abs(axes[2]))
                files |= dict.fromkeys(names, size)
            elif array.dtype.kind in "buifSU" and (len(array.shape) in (1, 2) or _is_column(array.shape)):
                entry = replace(entry, values=Values(array))
            self.arrays.append(entry)
        self.files = files

    def read(self, name: str, count: int) -> bytes:
        """Returns a row as a `.npy` file."""
        array, _, row = name.rpartition("/")
        number = int(row)
        return npy_bytes(to_image(self._arrays[array].rows(number, number + 1)[0], self._scales[array]))


def _is_column(shape: tuple[int, ...]) -> bool:
    """Returns whether each row is one value, however many axes there are."""
    return len(shape) > 0 and math.prod(shape[1:]) == 1


def scale_of(array: Any) -> float:
    """Returns the factor for the values of an array: 255 for booleans and for floats from 0 to 1, else 1."""
    if array.dtype.kind == "b":
        return 255
    if array.dtype.kind != "f":
        return 1
    sample = array.rows(0, min(SAMPLE, array.shape[0]))
    return 255 if sample.max() <= 1 else 1


@dataclass(frozen=True)
class Values:
    """A function that reads the label of each row as text.

    A label is a number, a text, or, in a row with one 1 among zeros, the place of the 1.
    """

    array: Any

    def __call__(self) -> Sequence[str]:
        """Returns the label of each row.

        Raises:
          ValueError: the labels are too large, or not of one of these kinds.
        """
        array = self.array
        if array.shape[0] * array.row_bytes > MOST_VALUES:
            raise ValueError(f"labels must have at most {MOST_VALUES >> 20} MiB")
        values = array.rows(0, array.shape[0])
        values = values.ravel() if _is_column(array.shape) else _places(values)
        if values.dtype.kind == "b":
            values = values.astype(np.uint8)
        return [*map(_text, values.tolist())]


def _places(values: np.ndarray) -> np.ndarray:
    """Returns the place of the 1 in each row."""
    if not ((values == 0) | (values == 1)).all() or not (values.sum(axis=1) == 1).all():
        raise ValueError(
            f"rows of {values.shape[1]} values, not one 1 among zeros; several labels an image cannot be trained on yet"
        )
    return values.argmax(axis=1)


def _text(value: object) -> str:
    """Returns a value as text; a whole number has no point."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
