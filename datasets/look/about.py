"""Describes a data set in numbers and sentences: for the screen, for a page and as JSON."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sweep.datasets.load import load
from sweep.datasets.pixels.dataset import Dataset, LeftOut
from sweep.datasets.problems import DataError, Problem
from sweep.storage.sweep_file import BAD, DataOptions
from sweep.storage.text import counted


@dataclass(frozen=True)
class SplitAbout:
    """The numbers of one split.

    Attributes:
      images: number of images.
      classes: number of images of each class, by name; None if there are no labels.
    """

    images: int
    classes: dict[str, int] | None


@dataclass(frozen=True)
class Description:
    """The description of a data set.

    Attributes:
      data: its path, as it was given.
      width: width of every image that would be trained on, px.
      height: height of every image that would be trained on, px.
      splits: the numbers of each split, by name.
      notes: what the user should know; what was inferred comes first.
      left_out: the images that are not used.
      refused: the problems that make the data unusable unless bad images are left out; empty if there are none.
      fingerprint: the hash by which a sweep recognises the data.
    """

    data: str
    width: int
    height: int
    splits: dict[str, SplitAbout]
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    refused: tuple[str, ...]
    fingerprint: str

    def lines(self) -> list[str]:
        """Returns a line for each split, followed by the notes."""
        lines = []
        for name, split in self.splits.items():
            line = f"{name}: {counted(split.images, 'image')}, {self.width}x{self.height} px"
            if split.classes is not None:
                counts = split.classes.values()
                line += f", {counted(len(counts), 'class', 'classes')} of {min(counts):,} to {max(counts):,}"
            lines.append(line)
        return [*lines, *self.notes]

    def reasons(self) -> dict[str, int]:
        """Returns how many images are left out for each reason, the most frequent first."""
        return dict(Counter(image.reason for image in self.left_out).most_common())


def read(path: Path, options: DataOptions) -> tuple[Dataset, tuple[Problem, ...]]:
    """Reads a data set; if only bad images make it unusable, reads it without them and returns the problems as well.

    Raises:
      DataError: it cannot be read without them either.
    """
    try:
        return load(path, options), ()
    except DataError as error:
        try:
            return load(path, options.leaving_out(BAD)), tuple(error.problems)
        except DataError:
            raise error from None


def about(data: Dataset, path: Path, problems: tuple[Problem, ...]) -> Description:
    """Returns the description of a data set that was read from this path."""
    splits = {}
    for name, split in data.splits.items():
        labels = None if split.labels is None else Counter(split.labels.tolist())
        classes = None if labels is None else {label: labels[number] for number, label in enumerate(data.classes)}
        splits[name] = SplitAbout(len(split.ids), classes)
    height, width = data.image_size
    lines = tuple(map(str, problems))
    return Description(str(path), width, height, splits, data.notes, data.left_out, lines, data.fingerprint)
