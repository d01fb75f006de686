"""A listing: which images a split has and what is known about them, before any image is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import id_problem
from sweep.datasets.problems import Findings, Problem, printable, shown
from sweep.storage.text import counted

# the names of folders and tables that mean each split
SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}


@dataclass(frozen=True)
class Listing:
    """The images of one split, before they are read.

    Attributes:
      place: path of the table, or of the folder with `/` at its end, for messages.
      ids: N names of images.
      labels: N labels as they were written; None if there are none.
      files: N names in the tree.
      lines: the line of each image in the table; None if the images were found in a folder, and the ids are their
        names.
      groups: for each image the name of the group it belongs to, such as a patient; None if the data names no groups.
      folds: for each image the fold that the data puts it in, as it was written; None if the data has no folds.
    """

    place: str
    ids: tuple[str, ...]
    labels: tuple[str, ...] | None
    files: tuple[str, ...]
    lines: tuple[int, ...] | None = None
    groups: tuple[str, ...] | None = None
    folds: tuple[str, ...] | None = None

    def take(self, rows: Sequence[int] | np.ndarray) -> "Listing":
        """Returns a listing of these rows, in their order."""
        labels = None if self.labels is None else tuple(self.labels[row] for row in rows)
        lines = None if self.lines is None else tuple(self.lines[row] for row in rows)
        groups = None if self.groups is None else tuple(self.groups[row] for row in rows)
        folds = None if self.folds is None else tuple(self.folds[row] for row in rows)
        ids, files = tuple(self.ids[row] for row in rows), tuple(self.files[row] for row in rows)
        return Listing(self.place, ids, labels, files, lines, groups, folds)

    def place_of(self, row: int) -> str:
        """Returns where an image comes from: its line in the table, or its file."""
        return self.place + printable(self.ids[row]) if self.lines is None else f"{self.place}:{self.lines[row]}"

    def named(self, row: int) -> str:
        """Returns the words by which a sentence refers to an image."""
        return self.place_of(row) if self.lines is None else f"{self.place_of(row)}: {self._noun(row)}"

    def problem(self, row: int, rule: str, got: str, way_out: str) -> Problem:
        """Returns the problem of an image that breaks a rule.

        Args:
          row: the image.
          rule: begins with its verb: `must have one label`.
          got: see `Problem`.
          way_out: see `Problem`.
        """
        return Problem(self.place_of(row), f"{self._noun(row)} {rule}", got, way_out)

    def _noun(self, row: int) -> str:
        """Returns the noun for an image in a message, with its id if the place is a line of a table."""
        return "image" if self.lines is None else f"image {shown(self.ids[row])}"


def list_folder(tree: FileTree, folder: str = "", is_image: Callable[[str], bool] | None = None) -> Listing:
    """Lists every visible image in and below a folder, sorted; the ids are the names relative to the folder.

    Args:
      tree: the data set.
      folder: empty for the whole tree, otherwise with `/` at its end.
      is_image: decides which files are images; None for `tree.is_image`.
    """
    files = [name for name in tree.visible if name.startswith(folder) and (is_image or tree.is_image)(name)]
    ids = tuple(name.removeprefix(folder) for name in files)
    return Listing(f"{tree.path}/{printable(folder)}", ids, None, tuple(files))


def check_ids(listing: Listing, findings: Findings) -> None:
    """Checks ids that are names of files; ids in a table are checked where the table is read."""
    problems = (id_problem(name, listing.place_of(row)) for row, name in enumerate(listing.ids))
    findings.problems.extend(filter(None, problems))


def none_found(tree: FileTree, place: str, ids: Sequence[str], hint: str = "") -> Problem:
    """Returns the problem of a table none of whose images exists, as one problem instead of one for each row."""
    images = [name for name in tree.visible if tree.is_image(name)]
    content = f"{counted(len(images), 'image')}, such as {shown(images[0])}" if images else "no image"
    got = f"{shown(ids[0])} and {counted(len(ids) - 1, 'more', 'more')}; the data holds {content}{hint}"
    way_out = "add the images, or correct the names in the table"
    return Problem(place, "the images that the table names must be in the data, none is", got, way_out)


def first_refused(tree: FileTree) -> str:
    """Returns a phrase with a likely reason why nothing was found, such as a link; empty if there is none."""
    name = next(filter(tree.rules.is_visible, tree.refused), None)
    return "" if name is None else f" ({shown(name)} {tree.refused[name]})"
