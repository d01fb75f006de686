"""Reads data with a folder for each class, at any depth, with or without folders of splits above or below these."""

from collections import Counter
from collections.abc import Mapping
from shlex import quote

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings, Problem, printable, shown
from sweep.datasets.sources import Nearly, Reading, Source, asks_for_tables
from sweep.datasets.sources.folders import (
    Folder,
    are_numbered,
    class_name,
    entered,
    folder_split,
    folders_of,
    is_of_split,
    level_of_classes,
    level_of_splits,
    remove_copies,
    splits_without_train,
    without_split,
)
from sweep.datasets.sources.images import says_only_images
from sweep.datasets.sources.listing import Listing
from sweep.datasets.sources.split_folders import folders_of_splits, listing_of, without_bad_labels
from sweep.datasets.sources.split_names import is_of_both, split_of, splits_in
from sweep.storage.sweep_file import DataOptions
from sweep.storage.text import counted

REST = "in no folder of a class"
# If both levels of folders are numbered, the outer folders are parts, such as patients, when there are at least this
# many times as many of them as of inner ones.
PARTS_A_CLASS = 3


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the data as folders of classes; None if they are not folders of classes. This is the `read` of `Source`."""
    if options.label_pattern or asks_for_tables(options):
        return None
    top = folders_of(tree)
    if options.train or options.valid or options.test:
        return _with_flags(tree, top, options, findings)
    remove_copies(tree, top, findings)
    if (level := level_of_splits(top)) is not None:
        return _with_splits(tree, level, findings)
    has_train = any(folder_split(name.rpartition("/")[2]) == "train" for name in (*tree.folders, *tree.refused))
    if not has_train and (splits := splits_without_train(top)):
        return _no_train(tree, splits)
    level = level_of_classes(top)
    if level is None:
        return None
    return _with_classes(tree, level, {}, findings)


def _with_flags(tree: FileTree, top: Folder, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the folders that flags name as splits; None if a flag names a table."""
    paths = {"train": options.train, "validation": options.valid, "test": options.test}
    folders: dict[str, Folder] = {}
    for split, path in paths.items():
        if path and path.strip("/") in tree.files:
            return None
        if path:
            folder: Folder | None = top
            for part in path.strip("/").split("/"):
                folder = folder.inner.get(part) if folder and part not in ("", ".") else folder
            if folder is None:
                flag = {"train": "--train", "validation": "--valid", "test": "--test"}[split]
                rule = f"{flag} must name a table or a folder with images in the data"
                return Nearly(Problem(tree.path, rule, shown(path), "give its path within the data"))
            folders[split] = folder
    if "train" not in folders and (level := level_of_splits(top)) is not None:
        for name, split_of_name in splits_in(level.inner).items():
            if target := "train" if is_of_both(name) else split_of_name:
                folders.setdefault(target, entered(level.inner[name], target))
    if "train" in folders and not folders["train"].inner:
        rule = "--train must name a table, or a folder with a folder a class"
        return Nearly(
            Problem(tree.path, rule, f"{shown(folders['train'].path)} with images", "give --label-pattern as well")
        )
    if "train" in folders:
        return _read_folders(tree, folders, "", findings)
    level = level_of_classes(top)
    return None if level is None else _with_classes(tree, level, folders, findings)


def _with_splits(tree: FileTree, level: Folder, findings: Findings) -> Reading | Nearly:
    """Reads folders of splits, each with folders of classes in it."""
    return _read_folders(tree, folders_of_splits(tree, level.inner, findings), level.path, findings)


def _no_train(tree: FileTree, splits: list[Folder]) -> Nearly:
    """Returns the refusal of data that has folders of validation and test, but none to train on."""
    parts = [f"{shown(split.path)} with {counted(len(split.every()), 'image')}" for split in splits]
    suggestion = next((split for split in splits if folder_split(split.name) == "validation"), splits[0])
    way_out = f"add the images of train, or train on these with --train {quote(suggestion.path)}"
    return Nearly(Problem(tree.path, "there must be a split to train on", f"{' and '.join(parts)} alone", way_out))


def _read_folders(tree: FileTree, folders: dict[str, Folder], level: str, findings: Findings) -> Reading | Nearly:
    """Returns the reading of the folders of the splits.

    Args:
      tree: the data set.
      folders: the folder of each split; train is one of them.
      level: path of the folder that holds them.
      findings: takes problems and notes.
    """
    train = folders["train"]
    if not train.inner:
        got = f"{counted(len(train.images), 'image')} without, such as {shown(train.images[0])}"
        way_out = "move them into a folder a class, or add a table `image,label`"
        return Nearly(
            Problem(f"{tree.path}/{printable(train.path)}", "the train images must have labels", got, way_out)
        )
    listings: dict[str, Listing] = {}
    tables: set[str] = set()
    classes = {class_name(tree, name) for name in train.inner}
    _check_empty(tree, train, findings)
    for split in ("train", "validation", "test"):
        if split in folders and (listing := listing_of(tree, split, folders[split], classes, tables, findings)):
            listings[split] = listing
    form = f"folders of classes below {shown(train.path or '/')}"
    inferred = [f"{split}: {shown(folder.path)}" for split, folder in folders.items() if split in listings]
    if "test" in listings and classes.issuperset(listings["test"].labels or ("",)):
        inferred.append("test has labels")
    phrases = (*inferred, "label: the folder", *(f"labels of {shown(table)}" for table in sorted(tables)))
    return Reading(form, f"--train {train.path or '.'}", listings, phrases, frozenset(tables), rest=REST)


def _with_classes(
    tree: FileTree, level: Folder, named_folders: Mapping[str, Folder], findings: Findings
) -> Reading | Nearly:
    """Reads folders of classes without folders of splits above them.

    Splits may lie inside each class or be a part of its name (`cat_train`), and folders of validation and test may lie
    beside the classes. The outer folders may be numbered parts, such as patients, which then become groups.

    Args:
      tree: the data set.
      level: the folder that holds those of the classes.
      named_folders: the folders of validation or test that flags name, which may have any name.
      findings: takes problems and notes.
    """
    beside = {
        name: folder for name, folder in level.inner.items() if is_of_split(name) and folder_split(name) != "train"
    }
    named_paths = {folder.path for folder in named_folders.values()}
    classes = [each for name, each in level.inner.items() if name not in beside and each.path not in named_paths]
    unnamed = {name: folder for name, folder in beside.items() if folder_split(name) not in named_folders}
    if all(_has_splits(folder) for folder in classes):
        return _with_splits_below(tree, level, classes, findings)
    if all(map(folder_split, names := [folder.name for folder in classes])) and "train" in map(folder_split, names):
        pairs = [(folder_split(folder.name) or "", without_split(folder.name), folder) for folder in classes]
        if len(classes) > len({label for _, label, _ in pairs}) > 1:
            return _with_pairs(tree, level, pairs, "", findings)
    depth, is_group, inferred = 0, False, ["label: the folder"]
    if inner := _shared_below(classes):
        outer = [folder.name for folder in classes]
        if are_numbered(outer) and not (are_numbered(inner) and len(outer) < PARTS_A_CLASS * len(inner)):
            is_group = not any(map(says_only_images, outer))
            depth, inferred = 1, ["label: the second folder", *(["group: the first"] if is_group else [])]
        elif are_numbered(outer) or not are_numbered(inner):
            return _ambiguous_levels(tree, level, outer, inner)
    files = sorted(file for folder in classes for file in folder.every())
    ids = tuple(file.removeprefix(level.path) for file in files)
    labels = tuple(class_name(tree, name.split("/")[depth]) for name in ids)
    groups = tuple(name.partition("/")[0] for name in ids) if is_group else None
    place = f"{tree.path}/{printable(level.path)}"
    listings = {"train": without_bad_labels(Listing(place, ids, labels, tuple(files), None, groups), findings)}
    non_empty = {name.removeprefix(level.path).partition("/")[0] for name in tree.files if name.startswith(level.path)}
    for name in sorted(filter(tree.rules.is_visible, tree.folders)):
        if f"{name.rpartition('/')[0]}/".lstrip("/") == level.path and name.rpartition("/")[2] not in non_empty:
            findings.notes.append(f"{shown(name + '/')} is empty, and no class.")
    tables: set[str] = set()
    for split, folder in {**folders_of_splits(tree, unnamed, findings), **named_folders}.items():
        if listing := listing_of(tree, split, folder, set(labels), tables, findings):
            listings[split] = listing
            inferred.append(f"{split}: {shown(folder.path)}")
    form = f"folders of classes in {shown(level.path or '/')}"
    return Reading(form, f"--train {level.path or '.'}", listings, tuple(inferred), frozenset(tables), rest=REST)


def _shared_below(classes: list[Folder]) -> list[str]:
    """Returns the names of the folders that are inside each of `classes`, or inside most if `classes` are numbered."""
    counts = Counter(name for folder in classes for name in folder.inner)
    minimum = len(classes) / 2 if are_numbered([folder.name for folder in classes]) else len(classes)
    is_shared = len(counts) > 1 and min(counts.values()) >= minimum and not any(folder.images for folder in classes)
    return sorted(counts) if is_shared and not all(map(says_only_images, counts)) else []


def _ambiguous_levels(tree: FileTree, level: Folder, outer: list[str], inner: list[str]) -> Nearly:
    """Returns the refusal of folders that all contain the same folders: either level may be the classes."""
    examples = [", ".join(map(shown, names[:3])) + (", ..." if len(names) > 3 else "") for names in (outer, inner)]
    rule, got = "folders must be classes in one way only", f"{examples[0]}, and in each of them {examples[1]}"
    outer_choice = f"--train {quote(level.path or '.')} if {examples[0]} are the classes"
    other_choice = f"--train {quote(level.path + outer[0])} to use one of them"
    if are_numbered(outer):
        other_choice = f"--label-pattern {quote('([^/]+)/[^/]+$')} if {examples[1]} are"
    way_out = f"choose with {outer_choice}, or with {other_choice}"
    return Nearly(Problem(f"{tree.path}/{printable(level.path)}", rule, got, way_out))


def _has_splits(folder: Folder) -> bool:
    """Returns whether the folders in a folder are splits, train among them."""
    splits = [split_of(name) for name in folder.inner]
    return "train" in splits and None not in splits and not folder.images


def _with_splits_below(tree: FileTree, level: Folder, classes: list[Folder], findings: Findings) -> Reading:
    """Reads folders of classes that each contain folders of splits."""
    pairs = [
        (split_of(name) or "train", class_name(tree, folder.name), inner)
        for folder in classes
        for name, inner in folder.inner.items()
    ]
    return _with_pairs(tree, level, pairs, " with folders of splits in each", findings)


def _with_pairs(
    tree: FileTree, level: Folder, pairs: list[tuple[str, str, Folder]], form_ending: str, findings: Findings
) -> Reading:
    """Reads folders each of which belongs to one split and one class.

    Args:
      tree: the data set.
      level: the folder that holds them.
      pairs: the split, the class and the folder.
      form_ending: the end of the phrase that describes the form; empty if a folder's own name says both.
      findings: takes problems.
    """
    by_split: dict[str, list[tuple[str, str]]] = {}
    for split, label, folder in pairs:
        by_split.setdefault(split, []).extend((file, label) for file in folder.every())
    listings = {}
    for split in ("train", "validation", "test"):
        if rows := sorted(by_split.get(split, [])):
            ids = tuple(file.removeprefix(level.path) for file, _ in rows)
            place = f"{tree.path}/{printable(level.path)}"
            labels = tuple(label for _, label in rows)
            listings[split] = without_bad_labels(Listing(place, ids, labels, tuple(file for file, _ in rows)), findings)
    form = f"folders of classes in {shown(level.path or '/')}{form_ending}"
    inferred = ("label: the first folder, split: the second" if form_ending else "label and split: the folder",)
    return Reading(form, f"--train {level.path or '.'}", listings, inferred, rest=REST)


def _check_empty(tree: FileTree, train: Folder, findings: Findings) -> None:
    """Adds a problem for each class without images, which would otherwise vanish unnoticed."""
    for name in sorted(filter(tree.rules.is_visible, tree.folders)):
        inner = name.removeprefix(train.path)
        if name.startswith(train.path) and "/" not in inner and inner not in train.inner:
            place, got = f"{tree.path}/{printable(name)}", "none with an image's suffix"
            findings.refuse(place, "class must have 2 images or more", got, "add some or remove the folder")


SOURCE = Source("folders of classes, at any depth, with or without folders of splits", read)
