"""HDF5 files and the arrays of images and labels in them; links into other files are not followed."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from sweep.datasets.trees import Kind, Opening, Store, as_value_errors
from sweep.datasets.trees.names import leads_out
from sweep.datasets.trees.npy import ArrayStore
from sweep.datasets.trees.regions import RegionFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CACHE_BYTES = 64 << 20  # for unpacked chunks
MOST_CHUNK = 256 << 20  # bytes of an unpacked chunk, which must be unpacked as a whole


@dataclass(frozen=True)
class Hdf5Array:
    """An array of a file, with the interface that `ArrayStore` expects."""

    dataset: Any
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """The size of a row in bytes."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Returns the rows from `start` up to, but not including, `stop`.

        Raises:
          ValueError: they cannot be read.
        """
        with as_value_errors():
            return np.asarray(self.dataset[start:stop], self.dtype)


class Hdf5(ArrayStore):
    """The arrays of an open HDF5 file."""

    def __init__(self, file: Any) -> None:
        arrays = {name: _array(dataset) for name, dataset in _datasets(file)}
        super().__init__(arrays)
        self._file = file

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _datasets(group: Any, parent: str = "") -> list[tuple[str, Any]]:
    """Returns the arrays below a group with their names; an array with several hard links has the name of the first."""
    import h5py

    datasets: list[tuple[str, Any]] = []
    queue, addresses = [(parent, group)], set()
    while queue:
        parent, group = queue.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink) or leads_out(name):
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in addresses:
                continue
            addresses.add(address)
            full_name = f"{parent}/{name}" if parent else name
            if isinstance(item, h5py.Group):
                queue.append((full_name, item))
            elif isinstance(item, h5py.Dataset):
                datasets.append((full_name, item))
    return datasets


def _array(dataset: Any) -> Hdf5Array | str:
    """Returns an array, or the reason why it cannot be read."""
    import h5py

    if dataset.external or dataset.is_virtual:
        return "its values lie in other files; copy them into one"
    chunk = np.prod(dataset.chunks or (), dtype=np.int64) * dataset.dtype.itemsize
    if dataset.chunks and chunk > MOST_CHUNK:
        return f"its chunks have {int(chunk):,} bytes; write it in chunks of a few images"
    shape = tuple(dataset.shape or ())
    if h5py.check_string_dtype(dataset.dtype) and len(shape) == 1 and shape[0] <= 1 << 24:
        text = dataset.asstr()
        longest = max((len(value) for value in text[:]), default=1)
        return Hdf5Array(text, shape, np.dtype(f"U{max(1, longest)}"))
    if dataset.dtype.hasobject or dataset.dtype.names:
        return "its rows are of different lengths or records"
    return Hdf5Array(dataset, shape, dataset.dtype)


def _open(opening: Opening) -> Store | None:
    import h5py

    with as_value_errors():
        return Hdf5(h5py.File(RegionFile(opening.region), "r", rdcc_nbytes=CACHE_BYTES))


def _is_one(name: str, head: Callable[[], bytes]) -> bool:
    is_named = name.endswith((".h5", ".hdf5", ".hdf", ".he5"))
    # an optional package; without it, unread.py reports the file
    return is_named and head().startswith(SIGNATURE) and find_spec("h5py") is not None


KIND = Kind("HDF5 file", _is_one, _open)
