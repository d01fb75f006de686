"""The two forms that the first listing rules know: tables `train.csv` with `id,label`, and folders `train/CLASS/`.

Their listings never change, because sweeps were begun with them. Newer rules try them first, so that data which was
once accepted is always read in the same way.
"""

from dataclasses import dataclass

from sweep.datasets.file_tree import FileTree
from sweep.datasets.layouts import class_folders, tables
from sweep.datasets.problems import Findings
from sweep.datasets.sources.listing import Listing

LAYOUTS = (tables, class_folders)
OF_FOLDERS = class_folders.FORM
LOOKED_FOR = "train.txt or train.csv with its images, or folders train/CLASS/"


@dataclass(frozen=True)
class Layout:
    """The listings that a layout gives for a data set.

    Attributes:
      form: the name of the form.
      listings: the images by split: `train`, and `validation` and `test` if there are any.
      files: tables that were read.
      rest: the end of the sentence about images that are not used, after the word "images".
      leaves_aside: a table or folder is not used although its name is nearly that of a split.
      submission_ids: the ids of the sample submission, in its order; None if there is none.
    """

    form: str
    listings: dict[str, Listing]
    files: frozenset[str]
    rest: str
    leaves_aside: bool
    submission_ids: tuple[str, ...] | None = None


def find(tree: FileTree, findings: Findings) -> Layout | None:
    """Returns the first layout that is recognised, at the top or in the only folder there; None if there is none."""
    for root in _roots(tree.visible):
        for layout in LAYOUTS:
            if layout.is_in(tree, root):
                listings, files, submission_ids, leaves_aside = layout.list_splits(tree, root, findings)
                return Layout(layout.FORM, listings, frozenset(files), layout.REST, leaves_aside, submission_ids)
    return None


def _roots(names: list[str]) -> list[str]:
    """Returns the top, and the only folder in it if everything lies in that."""
    tops = {name.partition("/")[0] for name in names}
    return ["", f"{tops.pop()}/"] if len(tops) == 1 and "/" in names[0] else [""]
