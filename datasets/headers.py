"""Reads the headers of a data set's images, to learn their number and size before any image is decoded."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from sweep.datasets import decoders
from sweep.datasets.decoders.words import caught_words
from sweep.datasets.file_tree import FileTree
from sweep.datasets.listing_rules import NEWEST
from sweep.datasets.problems import Findings
from sweep.datasets.sources.finder import find_reading
from sweep.datasets.training_size import sizes_of
from sweep.storage.sweep_file import DataOptions


@dataclass(frozen=True)
class Headers:
    """The number and the size of a data set's images, as their headers tell them.

    Attributes:
      train: the number of train images, before a validation split is cut.
      side: the median of the shorter sides, px; 0 if no header can be read.
    """

    train: int
    side: int


def read_headers(path: Path, options: DataOptions, listing: int = NEWEST, decoder: int = decoders.NEWEST) -> Headers:
    """Reads the headers of all images; bad images are ignored here and reported when they are read.

    Args:
      path: see `datasets.load.load`.
      options: see `datasets.load.load`.
      listing: see `datasets.load.load`.
      decoder: see `datasets.load.load`.

    Raises:
      DataError: the data has none of the known forms.
    """
    with FileTree(path, listing) as tree, caught_words() as collect, collect():
        listings = find_reading(tree, options, Findings()).listings
        sides = [min(size) for size in sizes_of(tree, listings, decoders.recipe(decoder))]
        train = len(listings["train"].files) if "train" in listings else 0
    return Headers(min(train, options.limit_train or train), median_low(sides) if sides else 0)
