"""Single files that are packed by themselves (.gz, .bz2, .xz), if they are tables or other containers."""

from sweep.datasets.trees import Kind, Opening, Store
from sweep.datasets.trees.regions import Region
from sweep.datasets.trees.streams import stream_of
from sweep.datasets.trees.unpacked import unpack

PACKED = (".gz", ".bz2", ".xz")
# Only these are opened, because a folder may hold a hundred thousand packed files that do not belong to the data.
INSIDE = (
    *("ubyte", ".idx", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".parquet", ".zip"),
    *(".csv", ".tsv", ".txt", ".json", ".jsonl"),
)
SUFFIXES = tuple(inside + packed for inside in INSIDE for packed in PACKED)


class Packed(Store):
    """A store with one file: the content of the packed file."""

    def __init__(self, name: str, region: Region) -> None:
        super().__init__()
        self.files = {name: region.size}
        self._region = region

    def read(self, name: str, count: int) -> bytes:
        """Returns the first bytes of the file."""
        return self._region.read(0, count)

    def region(self, name: str) -> Region:
        """Returns the unpacked file."""
        return self._region


def _open(opening: Opening) -> Store:
    chunks = stream_of(opening.region)
    if chunks is None:
        raise ValueError("no packed file")
    return Packed(opening.stem, unpack(chunks, opening.region.size, "", opening))


KIND = Kind("packed file", lambda name, head: name.endswith(SUFFIXES), _open, is_packed=True)
