"""A listing says which images to read, before any is read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.file_tree import Source
from datasets.manifest import id_problem, printable

SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}  # by their names


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
    is_visible = source.rules.is_visible
    inside = [name for name in source.files if name.startswith(folder) and is_visible(name)]
    files = [name for name in inside if source.is_image(name)]
    ids = tuple(name.removeprefix(folder) for name in files)
    places = tuple(f"{source.path}/{printable(name)}: image" for name in files)
    return Listing(f"{source.path}/{folder}", ids, None, tuple(files), places)


def check_ids(source: Source, listing: Listing, problems: list[str]) -> None:
    """For ids that are file names: those of a manifest are checked where it is read."""
    for name, file in zip(listing.ids, listing.files, strict=True):
        if rule := id_problem(name):
            problems.append(f"{source.path}/{printable(file)}: {rule}")
