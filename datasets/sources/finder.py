"""Finds the images of a data set, whichever of its forms it has, before any is read."""

from datasets.file_tree import FileTree
from datasets.problems import DataError, Findings, Problem, shown
from datasets.sources import Splits, all_sources
from datasets.sources.listing import first_refused


def find_splits(tree: FileTree, findings: Findings) -> Splits:
    """Lists the splits in the first form that is recognised, on top or in the one folder there.

    Raises:
      DataError: no form is.
    """
    sources = all_sources()
    for root in _roots(tree.visible):
        for source in sources:
            if source.is_in(tree, root):
                return source.list_splits(tree, root, findings)
    rule = f"data must hold {', or '.join(source.looked_for for source in sources)}"
    got = ", ".join(map(shown, tree.visible[:3])) or "no files"
    raise DataError([Problem(tree.path, rule, got + first_refused(tree), "check the path")])


def _roots(names: list[str]) -> list[str]:
    """Returns the top, and the one folder there where everything is in it."""
    tops = {name.partition("/")[0] for name in names}
    return ["", f"{tops.pop()}/"] if len(tops) == 1 and "/" in names[0] else [""]
