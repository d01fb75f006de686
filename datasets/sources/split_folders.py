"""Finds the folder of each split among folders, and reads its images with their labels."""

from collections.abc import Mapping
from dataclasses import replace

from sweep.datasets.file_tree import FileTree
from sweep.datasets.labels import label_problem
from sweep.datasets.problems import Findings, printable, shown
from sweep.datasets.sources.folders import Folder, class_name, entered
from sweep.datasets.sources.listing import Listing, check_ids
from sweep.datasets.sources.split_names import is_for_prediction, is_of_both, split_of, splits_in
from sweep.datasets.sources.split_tables import labelled_by_table
from sweep.storage.text import counted


def folders_of_splits(tree: FileTree, inner: Mapping[str, Folder], findings: Findings) -> dict[str, Folder]:
    """Returns the folder that holds the classes or images of each split; several folders for one split are a problem.

    Args:
      tree: the data set.
      inner: folders by their names; those whose names mean no split do not count.
      findings: takes problems, and notes on folders that are left aside.
    """
    folders: dict[str, Folder] = {}
    splits = splits_in(inner)
    for name, folder in inner.items():
        split = "train" if is_of_both(name) else splits[name]
        if split is None:
            continue
        if split in folders:
            first, second = folders[split], folder
            if split == "test" and is_for_prediction(first.name) != is_for_prediction(name):
                choice, other = (second, first) if is_for_prediction(first.name) else (first, second)
                folders[split] = choice
                count, place = counted(len(other.every()), "image"), f"{tree.path}/{printable(other.path)}"
                findings.notes.append(f"{shown(other.path)} has {count} to predict: analysis.predict --images {place}")
                continue
            if (split_of(first.name) == split) != (split_of(name) == split):
                choice, other = (first, second) if split_of(first.name) == split else (second, first)
                folders[split] = choice
                count = counted(len(other.every()), "image")
                findings.notes.append(
                    f"{shown(other.path)} is left aside, with {count}: {shown(choice.path)} is {split}."
                )
                continue
            got = f"{shown(first.path)} and {shown(second.path)}"
            flag = {"train": "--train", "validation": "--valid", "test": "--test"}[split]
            rule = f"there must be one folder for {split}"
            findings.refuse(tree.path, rule, got, f"choose with {flag} {first.path} or {flag} {second.path}")
            continue
        folders[split] = folder
    return {split: entered(folder, split) for split, folder in folders.items()}


def listing_of(
    tree: FileTree, split: str, folder: Folder, classes: set[str], tables: set[str], findings: Findings
) -> Listing | None:
    """Returns the images of a split with their labels, which are the folders in its folder, or those of a table.

    Args:
      tree: the data set.
      split: train, validation or test; images of test need no labels.
      folder: the folder of the split.
      classes: the classes of train.
      tables: takes the path of a table whose labels are used.
      findings: takes problems and notes.

    Returns:
      None if the images are left aside, because nothing says their labels.
    """
    is_flat = split != "train" and not folder.inner
    if is_flat and (table_listing := labelled_by_table(tree, split, folder.path, classes)):
        tables.add(table_listing.place.removeprefix(f"{tree.path}/"))
        return table_listing
    files = folder.every()
    ids = [file.removeprefix(folder.path) for file in files]
    labels = [class_name(tree, name.partition("/")[0]) if "/" in name else "" for name in ids]
    listing = Listing(f"{tree.path}/{printable(folder.path)}", tuple(ids), tuple(labels), tuple(files))
    if split == "test":
        is_labelled = all(labels) and bool(classes & set(labels))
        listing = listing if is_labelled else replace(listing, labels=None)
        check_ids(listing, findings)
        return listing
    if any(labels):
        return without_bad_labels(listing.take([row for row, label in enumerate(labels) if label]), findings)
    count = counted(len(files), "image")
    findings.notes.append(f"{shown(folder.path)} is left aside, with {count}: nothing says their labels.")
    return None


def without_bad_labels(listing: Listing, findings: Findings) -> Listing:
    """Returns the images whose id and label are valid; each of the others adds a problem."""
    check_ids(listing, findings)
    rows = []
    for row, label in enumerate(listing.labels or ()):
        if problem := label_problem(label, listing.place_of(row)):
            rule = f"must have a good label: {problem.rule}"
            findings.problems.append(listing.problem(row, rule, problem.got, problem.way_out))
        else:
            rows.append(row)
    return listing.take(rows)
