"""idx files, the format of MNIST: a magic number with the type and the number of axes, the axes, and the values."""

import struct

import numpy as np

from sweep.datasets.trees import Kind, Opening, Store
from sweep.datasets.trees.npy import ArrayStore, RawArray

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_AXES = 4


def _open(opening: Opening) -> Store | None:
    head = opening.region.read(0, 4 + 4 * MOST_AXES)
    kind, axes = head[2], head[3]
    if len(head) < 4 + 4 * axes:
        raise ValueError(f"cut after {len(head)} bytes")
    shape = struct.unpack_from(f">{axes}I", head, 4)
    array = RawArray(opening.region, 4 + 4 * axes, shape, np.dtype(TYPES[kind]))
    if (size := array.start + shape[0] * array.row_bytes) != opening.region.size:
        raise ValueError(f"{opening.region.size:,} bytes where its header says {size:,}")
    return ArrayStore({"": array})


def _is_one(head: bytes) -> bool:
    """Returns whether a file begins as an idx file."""
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= MOST_AXES


def _is_named_so(name: str) -> bool:
    """Returns whether a file is named as an idx file."""
    name = name.rpartition("/")[2]
    return name.endswith(("ubyte", ".idx")) or "idx" in name


KIND = Kind("idx file", lambda name, head: _is_named_so(name) and _is_one(head()), _open)
