"""Arrays of NumPy: a `.npz`, which is a zip of `.npy` files, or a single `.npy`. Objects in them are not read."""

from sweep.datasets.problems import DataError, Problem
from sweep.datasets.trees import Kind, Opening, Store
from sweep.datasets.trees.npy import SAMPLE, ArrayStore, RawArray, parse_npy
from sweep.datasets.trees.zips import Zip


def _open_npz(opening: Opening) -> Store | None:
    members = Zip(opening)
    if members.refused:
        name, reason = next(iter(members.refused.items()))
        raise DataError([Problem(opening.place, f"npz must be whole, {name} {reason}", "", "save it again")])
    arrays: dict[str, RawArray | str] = {}
    for name in members.files:
        if name.endswith(".npy"):
            arrays[name.removesuffix(".npy")] = parse_npy(members.region(name))
    return ArrayStore(arrays)


def _open(opening: Opening) -> Store | None:
    if opening.region.read(0, 4).startswith(b"PK"):
        return _open_npz(opening)
    array = parse_npy(opening.region)
    return ArrayStore({"": array}) if isinstance(array, str) or _has_rows(array) else None


def _has_rows(array: RawArray) -> bool:
    """Returns whether the rows of a `.npy` are images or labels; otherwise the file is a single image."""
    if len(array.shape) == 2:
        return array.shape[1] == 1 or bool((array.rows(0, min(array.shape[0], SAMPLE)).sum(axis=1) == 1).all())
    return len(array.shape) != 3 or array.shape[2] not in (3, 4)


KIND = Kind("array file", lambda name, head: name.endswith((".npz", ".npy")), _open)
