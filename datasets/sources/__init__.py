"""Sources: the forms in which a data set may come, in the order in which they are tried.

A source is a file `datasets/sources/NAME.py` that defines a `SOURCE`. To add one, add its file, its line in `NAMES`,
and an example data set in `FORMS` of `tests/trees.py`. A source says which names of a `FileTree` are the images of
which split, and what their labels are. Images that are not files of their own, such as the rows of an array, have
names in the tree as well. A source never decodes an image. `finder.py` tries the sources; those that learn most from
the data about its images come first. `datasets/layouts/` has the two forms that the first listing rules know.
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
    """A source's interpretation of a data set, made before any image is read.

    Attributes:
      form: the form of the data, for the line on the screen and for the error that two readings are possible, for
        example `folders of classes below train/`.
      flag: the flag by which the user chooses this reading: `--train train/`.
      listings: the images by split: `train`, and `validation` and `test` if there are any. A test listing with labels
        is scored once, at the end; labels in it that train does not have are problems.
      inferred: choices that were made for the user, a phrase each (`label: column target`), for the line on the screen.
      files: the files that were read but are not images, such as the tables.
      submission: the form in which predictions are handed in, if the data itself defines it.
      other_ids: other names of the test images, such as numbers, with the row of each in the test listing; a sample
        submission may use them.
      is_sure: the data itself states the labels; if it does not, a second possible reading with other labels is an
        error.
      rest: the end of the sentence about images that are not used, after the word "images".
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
    """The reason why data that resembles a form cannot be read as it; it is shown if no other source reads the data.

    Attributes:
      problem: what is missing or wrong.
      is_damaged: a file that says what the images are cannot be read. No other source is then asked, because it could
        only misread the rest.
      is_rival: the data states labels, but in more than one way; if another source reads the data, that is a second
        possible reading.
    """

    problem: Problem
    is_damaged: bool = False
    is_rival: bool = False


@dataclass(frozen=True)
class Source:
    """One form in which a data set may come.

    Attributes:
      looked_for: what the form is recognised by, for the message that is shown when no form is recognised.
      read: returns the `Reading` of the data, or `Nearly` with what is missing, or None if nothing resembles the form.
        It adds problems and notes to the findings, which count only if its reading is chosen.
    """

    looked_for: str
    read: Callable[[FileTree, DataOptions, Findings], Reading | Nearly | None]


def asks_for_tables(options: DataOptions) -> bool:
    """Returns whether one of the flags says how to read a table, so that the user can only mean a table."""
    table_options = ("images", "id_column", "label_column", "labels_separator", "group_column", "split_column")
    return any(getattr(options, name) is not None for name in table_options)


def all_sources() -> list[Source]:
    """Returns every source, in the order of `NAMES`."""
    return [import_module(f"sweep.datasets.sources.{name}").SOURCE for name in NAMES]
