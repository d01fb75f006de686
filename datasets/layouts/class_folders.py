"""The layout with a folder for each class, `train/CLASS/*`, `validation/CLASS/*`, and images to predict in `test/*`."""

from dataclasses import replace

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import id_problem, label_problem
from sweep.datasets.problems import Findings, printable, shown
from sweep.datasets.sources.left_out import note_left_aside, note_left_out
from sweep.datasets.sources.listing import SPLITS, Listing, check_ids, list_folder

FORM = "folders train/CLASS/"
REST = "in no folder of a split"

# The reasons why a folder or a table is left aside.
SPLIT_FOLDERS = "a split is a folder train, validation (or valid, val) or test, written so; rename it to use it"
NO_TABLES = "tables are not read beside folders of classes; predictions.csv has the images of test/ by their names"


def is_in(tree: FileTree, root: str) -> bool:
    """Returns whether a folder of the tree has this layout."""
    return any(name.startswith(f"{root}train/") for name in tree.visible)


def list_splits(
    tree: FileTree, root: str, findings: Findings
) -> tuple[dict[str, Listing], set[str], tuple[str, ...] | None, bool]:
    """Returns the listings by split, no tables, no sample submission, and whether a folder is left aside."""
    listings: dict[str, Listing] = {}
    used_files: set[str] = set()
    for split, folders in SPLITS.items():
        for name in filter(tree.rules.is_visible, tree.refused):
            if name.startswith(root) and name.removeprefix(root).split("/")[0] in folders:
                rule = f"images must be files, this {tree.refused[name]}"
                findings.refuse(f"{tree.path}/{printable(name)}", rule, "", "replace or remove it")
        paths = [f"{root}{folder}/" for folder in folders]
        paths = [path for path in paths if any(name.startswith(path) for name in tree.visible)]
        if len(paths) > 1:
            findings.refuse(tree.path, "there must be one folder a split", ", ".join(paths), "remove all but one")
        elif paths:
            listing = list_folder(tree, paths[0], tree.is_layout_image)
            if not listing.ids and split != "train":
                continue
            check_ids(listing, findings)
            if split == "train":
                _check_empty(tree, listing, paths[0], findings)
            listings[split] = listing if split == "test" else _label_by_folder(tree, listing, findings)
            used_files |= set(listing.files)
    left_aside = note_left_aside(tree, root, used_files, SPLIT_FOLDERS, NO_TABLES, findings)
    if tree.rules.layouts_alone:  # newer rules add this note later, once everything is known
        note_left_out(tree, used_files, REST, findings)
    return listings, set(), None, any(top.endswith("/") for top in left_aside)


def _label_by_folder(tree: FileTree, listing: Listing, findings: Findings) -> Listing:
    """Returns the listing with the first folder of each id as its class."""
    labels, rows = [], []
    if listing.ids and not any("/" in name for name in listing.ids):
        rule, got = "images must be in folders named as their classes", f"{shown(listing.ids[0])} and others in none"
        findings.refuse(listing.place, rule, got, "move them into such folders, or add a table `id,label`")
        return replace(listing.take([]), labels=())
    for row, name in enumerate(listing.ids):
        label, slash, _ = name.partition("/")
        place = listing.place_of(row)
        if not slash:
            rule = "must be in a folder named as its class"
            findings.problems.append(listing.problem(row, rule, shown(name), "move it into one"))
        elif problem := label_problem(label, place):
            if not id_problem(name, place):
                rule = f"must have a good label: {problem.rule}"
                findings.problems.append(listing.problem(row, rule, problem.got, problem.way_out))
        else:
            labels.append(tree.rules.class_name(label))
            rows.append(row)
    return replace(listing.take(rows), labels=tuple(labels))


def _check_empty(tree: FileTree, train: Listing, folder: str, findings: Findings) -> None:
    """Adds a problem for each class without images, which would otherwise vanish unnoticed."""
    folders = filter(tree.rules.is_visible, tree.folders)
    subfolders = {name.removeprefix(folder) for name in folders if name.startswith(folder)}
    for name in sorted(subfolders - {name.partition("/")[0] for name in train.ids}):
        if "/" not in name:
            rule, got = "class must have 2 images or more", "none with an image's suffix"
            findings.refuse(train.place + printable(name), rule, got, "add some or remove the folder")
