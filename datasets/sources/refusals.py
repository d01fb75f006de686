"""Explains why data cannot be read in any form: it has no images, no labels, or a flag names nothing in it."""

from collections import Counter
from collections.abc import Sequence

from sweep.datasets.file_tree import FileTree
from sweep.datasets.listing_rules.rules_2 import suffix_of
from sweep.datasets.problems import Problem, shown
from sweep.datasets.sources.images import folder_of, image_files
from sweep.datasets.sources.listing import first_refused
from sweep.storage.sweep_file import DataOptions
from sweep.storage.text import counted

SHOWN = 5  # how many folders or suffixes a message lists


def wrong_flag(tree: FileTree, options: DataOptions) -> Problem | None:
    """Returns the problem that `--train`, `--valid`, `--test` or `--images` names nothing in the data; else None."""
    names = [*tree.files, *(table.name for table in tree.tables), *(array.name for array in tree.arrays)]
    for flag in ("train", "valid", "test"):
        value = getattr(options, flag)
        path = _path(value or "")
        if path and not any(name == path or name.startswith(f"{path}/") for name in names):
            rule = f"--{flag} must name a table or a folder with images in the data"
            return Problem(tree.path, rule, f"{shown(value)}, which is not there", "give its path within the data")
    value, images = options.images or "", image_files(tree)
    path = _path(value)
    columns = {column for table in tree.tables for column in table.images}
    # --images may be a word that tells sets of arrays apart
    is_of_arrays = any(value in array.name for array in tree.arrays)
    if not path or is_of_arrays or value in columns or any(name.startswith(f"{path}/") for name in images):
        return None
    folders = Counter(folder_of(name) for name in images)
    others = ", ".join(shown(f"{folder}/") for folder, _ in folders.most_common(SHOWN) if folder)
    rule = "--images must be a folder with images in the data"
    return Problem(tree.path, rule, shown(value), f"give one of {others}" if others else "leave it out")


def _path(value: str) -> str:
    """Returns the path of a flag without `./` and outer slashes; empty for the whole data."""
    return "" if value in (".", "./") else value.removeprefix("./").strip("/")


def _kinds(names: Sequence[str]) -> str:
    """Returns the number of files by suffix as text: `6 .xml, 1 .md`."""
    suffixes = Counter(suffix_of(name) or "without a suffix" for name in names)
    return ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common(SHOWN))


def nothing_read(tree: FileTree) -> Problem:
    """Returns the problem of data that no source can read."""
    images, hint = image_files(tree), first_refused(tree)
    if not tree.visible:
        hidden_text = f" but {counted(len(tree.files), 'hidden file')}, which do not count" if tree.files else ""
        return Problem(tree.path, "data must hold images", f"no files{hidden_text}{hint}", "check the path")
    if not images:
        got = f"{counted(len(tree.visible), 'file')}, none of which is read as an image ({_kinds(tree.visible)}){hint}"
        return Problem(tree.path, "data must hold images", got, "check the path")
    places = Counter(f"in {shown(folder + '/')}" if (folder := folder_of(name)) else "on top" for name in images)
    folders = ", ".join(place for place, _ in places.most_common(SHOWN)) + (", ..." if len(places) > SHOWN else "")
    got = f"{counted(len(images), 'image')} {folders}, such as {shown(images[0])}, and nothing that says the labels"
    if others := sorted({*tree.visible}.difference(images)):
        got += f" (beside {_kinds(others)})"
    way_out = "make a folder for each class (train/cat/1.jpg), or add a table of them (train.csv with image,label)"
    if mat := next((name for name in tree.visible if name.lower().endswith(".mat")), None):
        one_line = f"pandas.DataFrame(scipy.io.loadmat({mat!r}, squeeze_me=True)[NAME]).to_csv('train.csv')"
        way_out += f"; if {shown(mat)} says the labels, such as by {one_line}"
    return Problem(tree.path, "each image to train on must have a label", got + hint, way_out)
