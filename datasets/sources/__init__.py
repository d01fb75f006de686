"""The forms in which data comes, the ones that say the most of their images first.

A source is a file `datasets/sources/NAME.py` which holds a `SOURCE`. To add one, add its file and its line in `NAMES`,
and an example data set in `FORMS` of `tests/trees.py`. A source says which names of a `FileTree` are the images of
which split, with their labels; images that are no files of their own, such as rows of an array, have names in the tree
as well. It never decodes an image. `finder.py` asks the sources; `datasets/layouts/` has the two forms that the first
listing rules know.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings, Problem
from sweep.datasets.sources.listing import Listing
from sweep.datasets.submission import Submission
from sweep.storage.sweep_file import DataOptions

NAMES = (
    "rows",
    "arrays",
    "shards",
    "tables",
    "class_folders",
    "names",
)


@dataclass(frozen=True)
class Reading:
    """What a source makes of a data set before any image is read.

    Attributes:
      form: what it is, for the line on the screen and where two readings fit: `folders of classes below train/`.
      flag: the flag by which a person says that this reading is meant: `--train train/`.
      listings: by name, `train`, and `validation` and `test` where there are any. A test listing with labels is scored
        once, at the end; labels that train does not have are problems.
      rest: says of images that are not used why, after the word "images".
      is_sure: the data itself says the labels; where it does not, a second reading with other labels is refused.
      inferred: what a person could have meant otherwise, a phrase each (`label: column target`), for the same line.
      files: what was read that is no image, such as the tables.
      submission: how predictions are handed in, where the source knows it itself.
      other_ids: further names of the test images, such as numbers, each with its row in the test listing; a sample
        submission may use them.
    """

    form: str
    flag: str
    listings: dict[str, Listing]
    inferred: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()
    submission: Submission | None = None
    other_ids: dict[str, int] = field(default_factory=dict)
    is_sure: bool = True
    rest: str = "that are not used"


@dataclass(frozen=True)
class Nearly:
    """Why data that begins like a form is not it: the first line of the refusal where no other source reads it.

    Attributes:
      is_damaged: a file that says what the images are cannot be read; what another source would make of the rest is
        other data.
      is_rival: it says the labels, but not in one way only; what another source makes of the data is a second reading.
    """

    problem: Problem
    is_damaged: bool = False
    is_rival: bool = False


@dataclass(frozen=True)
class Source:
    """One form in which data comes.

    Attributes:
      looked_for: what it is recognised by, for the line that is shown when no form is recognised.
      read: returns what it makes of the data, or what is missing, or None where nothing looks like its form. Problems
        and notes about what it read go into the findings, which count only if this reading is chosen.
    """

    looked_for: str
    read: Callable[[FileTree, DataOptions, Findings], Reading | Nearly | None]


def asks_for_tables(options: DataOptions) -> bool:
    """Says whether a flag tells how a table is to be read, so that no other form is meant."""
    of_tables = ("images", "id_column", "label_column", "labels_separator", "group_column", "split_column")
    return any(getattr(options, name) is not None for name in of_tables)


def all_sources() -> list[Source]:
    return [import_module(f"sweep.datasets.sources.{name}").SOURCE for name in NAMES]
