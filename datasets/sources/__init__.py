"""The forms in which data comes, in the order in which they are tried.

A source is a file `datasets/sources/NAME.py` which holds a `SOURCE`. To add one, add its file and its line in `NAMES`,
and an example data set in `FORMS` of `tests/trees.py`. A source says which files of a `FileTree` are the images of
which split; a form whose images are no files of their own, such as rows of a table, is a new kind of `FileTree` as
well. `finder.py` tries the sources; the other files here are what several sources need.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from datasets.file_tree import FileTree
from datasets.problems import Findings
from datasets.sources.listing import Listing

NAMES = (
    "tables",
    "class_folders",
)


@dataclass(frozen=True)
class Splits:
    """What a data set is before any image is read.

    Attributes:
      listings: by name, `train`, and `validation` and `test` where there are any.
      submission_ids: of the sample submission, in its order; None where there is none.
    """

    listings: dict[str, Listing]
    submission_ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Source:
    """One form in which data comes.

    Attributes:
      looked_for: what it is recognised by, for the message that is shown when no form is recognised.
      is_in: says whether the data has this form; it is given all files, and the folder that may hold the data, which is
        empty for the top, else with `/` at its end.
      list_splits: lists the images of each split by the same files and folder. It adds problems and notes to the
        findings, also a note of whatever it leaves out; a split without a readable table is not in its result.
    """

    looked_for: str
    is_in: Callable[[FileTree, str], bool]
    list_splits: Callable[[FileTree, str, Findings], Splits]


def all_sources() -> list[Source]:
    return [import_module(f"datasets.sources.{name}").SOURCE for name in NAMES]
