"""A listing says which images to read, before any is read; here is also what counts as an image."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.manifest import id_problem, printable
from datasets.source import Source

SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}  # by their names
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".mpo"),
    *(".webp", ".bmp", ".dib", ".tif", ".tiff"),
)
# How the formats that can be decoded begin. Only files without a suffix are known by it: raw photographs and
# microscopes' stacks begin like TIFF, too.
BEGINNINGS = (rb"\x89PNG\r\n\x1a\n", rb"\xff\xd8\xff", rb"RIFF....WEBP", rb"BM", rb"II\*\x00", rb"MM\x00\*")
IMAGE_BEGINS = re.compile(b"|".join(BEGINNINGS), re.DOTALL)
# What operating systems, file servers and desktops put between other people's files.
HIDDEN = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")


@dataclass(frozen=True)
class Listing:
    """One split: N images to read.

    Attributes:
      place: of the manifest or the folder, for messages.
      labels: as they were written; None where there are none.
      files: names in the source.
      places: how a message about an image begins.
    """

    place: str
    ids: tuple[str, ...]
    labels: tuple[str, ...] | None
    files: tuple[str, ...]
    places: tuple[str, ...]

    def take(self, rows: Sequence[int] | np.ndarray) -> "Listing":
        """These rows alone, in their order."""
        labels = None if self.labels is None else tuple(self.labels[row] for row in rows)
        ids, files, places = (tuple(column[row] for row in rows) for column in (self.ids, self.files, self.places))
        return Listing(self.place, ids, labels, files, places)


def list_folder(source: Source, folder: str = "") -> Listing:
    """Lists every visible image below a folder, sorted; the ids are the names relative to it.

    Args:
      folder: empty for all of the source, else with `/` at its end.
    """
    files = [name for name in source.files if name.startswith(folder) and is_visible(name) and is_image(source, name)]
    ids = tuple(name.removeprefix(folder) for name in files)
    places = tuple(f"{source.path}/{printable(name)}: image" for name in files)
    return Listing(f"{source.path}/{folder}", ids, None, tuple(files), places)


def check_ids(source: Source, listing: Listing, problems: list[str]) -> None:
    """For ids that are file names: those of a manifest are checked where it is read."""
    for name, file in zip(listing.ids, listing.files, strict=True):
        if rule := id_problem(name):
            problems.append(f"{source.path}/{printable(file)}: {rule}")


def is_visible(name: str) -> bool:
    """Says whether a file counts: neither it nor a folder that it is in is hidden."""
    return not any(part.startswith(".") or part in HIDDEN for part in name.split("/"))


def is_image(source: Source, name: str) -> bool:
    """Says whether a file is an image by its suffix or, where it has none, by its first bytes."""
    if suffix := suffix_of(name):
        return suffix in SUFFIXES
    return IMAGE_BEGINS.match(source.head(name)) is not None


def suffix_of(name: str) -> str:
    """Returns the suffix of a file in small letters, or nothing; a number behind a dot (`scan.0012`) is no suffix."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if stem and dot and suffix.isalnum() and not suffix.isdigit() else ""
