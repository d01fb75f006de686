"""MATLAB files up to version 7, and the arrays of numbers in them; images lie along the last axis, as in SVHN.

SciPy reads only whole arrays. They are therefore read one after the other, each up to a limit, and their images are
unpacked, see `unpacked.py`. Only numbers are read, so that no object in a file is ever built.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from sweep.datasets.problems import DataError, Problem
from sweep.datasets.trees import Kind, Opening, Store
from sweep.datasets.trees.npy import ArrayStore, RawArray, image_axes
from sweep.datasets.trees.regions import MemoryRegion, RegionFile
from sweep.datasets.trees.unpacked import CHUNK, unpack

BEGINS = b"MATLAB 5.0 MAT-f"
NUMBERS = {
    **{"double": 8, "single": 4, "logical": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2},
    **{"uint32": 4, "int32": 4, "uint64": 8, "int64": 8},
}  # bytes per value of each type
MOST_BYTES = 1 << 30  # of an array, which must be in memory while it is unpacked


def _open(opening: Opening) -> Store | None:
    from scipy.io import whosmat

    with _value_errors():
        entries = whosmat(RegionFile(opening.region))
    sizes = {name: (tuple(shape), kind) for name, shape, kind in entries if kind in NUMBERS}
    count = next((shape[0] for shape, _ in sizes.values() if len(shape) == 2 and shape[1] == 1), None)
    count = count or next((shape[1] for shape, _ in sizes.values() if len(shape) == 2 and shape[0] == 1), None)
    arrays: dict[str, RawArray] = {}
    for name, (shape, kind) in sizes.items():
        size = int(np.prod(shape, dtype=np.float64)) * NUMBERS[kind]
        if len(shape) == 2 and 1 in shape:
            if size <= MOST_BYTES:
                arrays[name] = _in_memory(_read(opening, name).ravel())
        elif image_axes(_rows_first(shape, count)):
            if size > MOST_BYTES:
                got, way_out = f"{size:,} bytes in {name}", "save it by numpy.savez in parts, or as images in folders"
                rule = f"an array in a MATLAB file must have at most {MOST_BYTES >> 20} MiB"
                raise DataError([Problem(opening.place, rule, got, way_out)])
            arrays[name] = _unpack_images(opening, name, _rows_first(shape, count))
    return ArrayStore(dict(arrays)) if any(len(array.shape) > 1 for array in arrays.values()) else None


def _rows_first(shape: tuple[int, ...], count: int | None) -> tuple[int, ...]:
    """Returns the shape with the axis of the images first, which is the last one unless the labels show otherwise."""
    return shape if shape[0] == count != shape[-1] else (shape[-1], *shape[:-1])


def _unpack_images(opening: Opening, name: str, shape: tuple[int, ...]) -> RawArray:
    """Returns an array of images, with the axis of the images first, from its unpacked copy."""

    def chunks() -> Iterator[bytes]:
        array = _read(opening, name)
        rows = array if array.shape == shape else np.moveaxis(array, -1, 0)
        step = max(1, CHUNK // max(1, rows[:1].nbytes))
        # The copy begins with the type, because a later start may find only the copy.
        yield array.dtype.newbyteorder("<").str.encode().ljust(16)
        for start in range(0, len(rows), step):
            yield np.ascontiguousarray(rows[start : start + step]).astype(array.dtype.newbyteorder("<")).tobytes()

    region = unpack(chunks, opening.region.size, name, opening)
    return RawArray(region, 16, shape, np.dtype(region.read(0, 16).decode().strip()))


def _read(opening: Opening, name: str) -> np.ndarray:
    """Returns one array of numbers."""
    from scipy.io import loadmat

    with _value_errors():
        array: np.ndarray = loadmat(RegionFile(opening.region), variable_names=[name])[name]
    if array.dtype.kind not in "buif":
        raise ValueError(f"{array.dtype} in {name}, where numbers are read")
    return array


def _in_memory(values: np.ndarray) -> RawArray:
    """Returns values that are kept in memory as an array."""
    return RawArray(MemoryRegion(values.tobytes()), 0, values.shape, values.dtype)


@contextmanager
def _value_errors() -> Iterator[None]:
    """Turns errors into ValueError, because SciPy raises a dozen kinds for damaged files, some of them its own."""
    try:
        yield
    except Exception as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


KIND = Kind("MATLAB file", lambda name, head: name.endswith(".mat") and head().startswith(BEGINS), _open)
