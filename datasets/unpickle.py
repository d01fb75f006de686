"""Converts images and labels in Python pickles to a `.npz`, without running the code in the pickles.

python -m datasets.unpickle cifar-10-batches-py/ --out cifar10.npz
"""

import gzip
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from sweep.datasets.pickles import PickleError, plain_content
from sweep.datasets.sources.split_words import split_in_path
from sweep.datasets.trees.unread import PICKLE, unread_kind
from sweep.storage.command_line import check_out, exit_codes, program
from sweep.storage.errors import UserError
from sweep.storage.files import written_whole

MOST_BYTES = 4 << 30  # the largest pickle that is read, uncompressed
SPLITS = ("train", "validation", "test")  # of three pairs of arrays in one pickle, in their order


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out", type=click.Path(path_type=Path), default="images.npz", show_default=True, help="The .npz file to write."
)
def main(data: Path, out: Path) -> None:
    """Writes the arrays of DATA, a pickle or a folder of pickles, as a .npz that --data takes."""
    with exit_codes():
        check_out(out, {data: "a file of the data"})
        arrays = joined(files_of(data), data)
        if not arrays:
            raise UserError(f"{data}: pickles must hold arrays of images and labels, got none; check the path")
        with written_whole(out) as partial, open(partial, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    lines = [f"  {name}: {array.dtype}, {'x'.join(map(str, array.shape))}" for name, array in arrays.items()]
    print("\n".join([f"{out}: give it as --data", *lines]))


def files_of(data: Path) -> list[Path]:
    """Returns the pickles in a folder, sorted, or the one file that `data` is."""
    if not data.is_dir():
        return [data]
    return sorted(path for path in data.iterdir() if path.is_file() and _is_pickle(path))


def _is_pickle(path: Path) -> bool:
    """Returns whether a file is a pickle, judged by its name or its first bytes."""

    def head() -> bytes:
        with open(path, "rb") as file:
            return file.read(2)

    return path.suffix == ".meta" or unread_kind(path.name, head) == PICKLE


def joined(files: list[Path], data: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of all files by name; those of one split are joined in the order of the files."""
    parts: dict[str, list[np.ndarray]] = defaultdict(list)
    for path in files:
        try:
            value = plain_content(_content(path))
        except (PickleError, OSError, EOFError) as error:
            raise UserError(f"{path}: must be a pickle of numbers and text, got {error}") from error
        split = split_in_path(path.name) or "train"
        for name, array in _arrays(value):
            is_of_a_split = split_in_path(name) is not None or name.endswith("names")
            parts[name if is_of_a_split else f"{split}_{name}"].append(array)
    try:
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}
    except ValueError as error:
        raise UserError(f"{data}: the arrays of a split must have images of one size, got {error}") from error


def _content(path: Path) -> bytes:
    """Returns the bytes of a pickle, which may be compressed by gzip."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        content: bytes = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise PickleError(f"more than {MOST_BYTES >> 30} GiB")
    return content


def _arrays(value: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the name and the value of each array whose rows are images, or values of one image each."""
    if isinstance(value, list | tuple) and len(value) in (2, 3) and all(_is_pair(one) for one in value):
        value = {
            f"{split}_{key}": one
            for split, pair in zip(_splits(value), value, strict=True)
            for key, one in _name_arrays(pair)
        }
    elif _is_pair(value):
        value = dict(_name_arrays(value))
    elif isinstance(value, np.ndarray):
        value = {"images": value}
    for key, one in value.items() if isinstance(value, dict) else ():
        name = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
        if (array := _array(one)) is not None:
            yield name.replace("/", "_"), array


def _is_pair(value: Any) -> bool:
    """Returns whether a value is a pair of arrays or lists: images and labels."""
    return (
        isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(one, np.ndarray | list) for one in value)
    )


def _name_arrays(pair: Any) -> list[tuple[str, Any]]:
    """Returns the arrays of a pair with their names."""
    return [("images", pair[0]), ("labels", pair[1])]


def _splits(value: Any) -> tuple[str, ...]:
    """Returns the names of the splits that two or three pairs hold."""
    return SPLITS if len(value) == 3 else ("train", "test")


def _array(value: Any) -> np.ndarray | None:
    """Returns a value as an array whose rows are images or labels; None for anything else."""
    if isinstance(value, list) and value and all(isinstance(one, bytes) for one in value):
        value = [one.decode("utf-8", "replace") for one in value]
    if isinstance(value, list) and value and isinstance(value[0], int | float | str):
        if not all(type(one) is type(value[0]) for one in value):
            return None
        value = np.array(value)
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return None
    return _unroll(value) if value.ndim == 2 else value


def _unroll(rows: np.ndarray) -> np.ndarray:
    """Returns rows of pixels as square images; in rows of three colours, these follow one another, as in CIFAR."""
    count = rows.shape[1]
    for channels in (3, 1):
        side = math.isqrt(count // channels)
        if side >= 8 and channels * side * side == count:
            images = rows.reshape(len(rows), channels, side, side)
            return images.transpose(0, 2, 3, 1) if channels == 3 else images[:, 0]
    return rows


if __name__ == "__main__":
    program(main)
