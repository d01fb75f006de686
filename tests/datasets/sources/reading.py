"""Reads a data set in memory as the sources do."""

from collections.abc import Mapping
from pathlib import Path

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings
from sweep.datasets.sources import Reading
from sweep.datasets.sources.finder import find_reading
from sweep.storage.sweep_file import DataOptions


def reading_of(files: Mapping[str, bytes], folder: Path, **options: str) -> tuple[Reading, Findings]:
    """Writes the files and returns how they are read, and what was found."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    findings = Findings()
    with FileTree(folder) as tree:
        return find_reading(tree, DataOptions(**options), findings), findings


def splits_of(reading: Reading) -> dict[str, tuple[tuple[str, ...], tuple[str, ...] | None]]:
    """Returns the files and the labels of each split."""
    return {split: (listing.files, listing.labels) for split, listing in reading.listings.items()}
