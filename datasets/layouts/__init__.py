"""The two forms that the first listing rules know: tables `train.csv` with `id,label`, and folders `train/CLASS/`.

What they list stays as it is, for sweeps were begun on it; newer rules ask them first, so that what was ever accepted
is the same data for ever.
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
    """What a layout lists.

    Attributes:
      form: what it is.
      listings: by name, `train`, and `validation` and `test` where there are any.
      files: tables that were read.
      rest: says of images that are not used why, after the word "images".
      leaves_aside: a table or a folder that has nearly the name of a split is not used.
      submission_ids: of the sample submission, in its order; None where there is none.
    """

    form: str
    listings: dict[str, Listing]
    files: frozenset[str]
    rest: str
    leaves_aside: bool
    submission_ids: tuple[str, ...] | None = None


def find(tree: FileTree, findings: Findings) -> Layout | None:
    """Lists the splits in the first layout that is recognised, on top or in the one folder there; else returns None."""
    for root in _roots(tree.visible):
        for layout in LAYOUTS:
            if layout.is_in(tree, root):
                listings, files, submission_ids, leaves_aside = layout.list_splits(tree, root, findings)
                return Layout(layout.FORM, listings, frozenset(files), layout.REST, leaves_aside, submission_ids)
    return None


def _roots(names: list[str]) -> list[str]:
    """Returns the top, and the one folder there where everything is in it."""
    tops = {name.partition("/")[0] for name in names}
    return ["", f"{tops.pop()}/"] if len(tops) == 1 and "/" in names[0] else [""]
