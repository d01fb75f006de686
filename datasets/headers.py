"""What the headers of a data set's images say of it, before any image is decoded."""

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
    """Attributes:
    train: the number of train images, before a validation split is cut.
    side: in px, what half of the images have at least on their shorter side; 0 where no header can be read.
    """

    train: int
    side: int


def read_headers(path: Path, options: DataOptions, listing: int = NEWEST, decoder: int = decoders.NEWEST) -> Headers:
    """Reads the headers; whatever is wrong with the data is told when its images are read.

    Args:
      options, listing, decoder: as for `datasets.load.load`.

    Raises:
      DataError: the data has none of the known forms.
    """
    with FileTree(path, listing) as tree, caught_words() as warned, warned():
        listings = find_reading(tree, options, Findings()).listings
        sides = [min(size) for size in sizes_of(tree, listings, decoders.recipe(decoder))]
        train = len(listings["train"].files) if "train" in listings else 0
    return Headers(min(train, options.limit_train or train), median_low(sides) if sides else 0)
