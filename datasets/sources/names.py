"""Reads data whose labels are in the names of the files: `cat.0.jpg`, or wherever `--label-pattern` finds them."""

import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings, Problem, printable, shown
from sweep.datasets.sources import Nearly, Reading, Source, asks_for_tables
from sweep.datasets.sources.images import folder_of, image_files
from sweep.datasets.sources.listing import Listing, check_ids
from sweep.datasets.sources.split_names import split_in, split_of, splits_in
from sweep.storage.sweep_file import DataOptions

LABEL_FIRST = re.compile(r"([A-Za-z][A-Za-z0-9 _\-]*?)[ ._\-]*\(?\d+\)?")  # matches a whole name without its suffix
# matches `input_1`, the beginning of `input_1_7`: it is not known which number belongs to the label
NUMBERED = re.compile(r"[ ._\-]\d+$")
PART = re.compile(r"[ _.\-]+")
MOST_PARTS = 8
FEWEST = 10  # images that are needed to recognise parts of names
SHARE = 0.9  # the share of images that must have names of one kind
IMAGES_A_CLASS = 2  # with fewer images, names merely happen to begin alike
CAMERAS = {"img", "image", "dsc", "dscn", "dscf", "photo", "pic", "picture", "frame", "scan", "p", "file"}


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the data by the names of its files; None if they hold no labels. This is the `read` of `Source`."""
    asked = options.label_pattern
    # --images may name the folder of files of any form
    if not asked and asks_for_tables(replace(options, images=None)):
        return None
    pattern = LABEL_FIRST
    if asked:
        try:
            pattern = re.compile(asked)
        except re.error as error:
            rule = "--label-pattern must be a regular expression"
            return Nearly(Problem("", rule, f"{shown(asked)}: {error}", "mend it"))
        if not pattern.groups:
            rule = "--label-pattern must have a group, which is the label"
            return Nearly(Problem("", rule, shown(asked), "put it in parentheses: '([a-z]+)_'"))
    found: dict[str, list[tuple[str, str | None]]] = {}
    inside = f"{options.images.strip('/')}/" if options.images else ""
    files = [file for file in image_files(tree) if file.startswith(inside)]
    splits = splits_in({part for file in files for part in file.split("/")[:-1]})
    for file in files:
        split = next((split for part in file.split("/")[:-1] if (split := splits[part])), "train")
        found.setdefault(split, []).append((file, _label(pattern, file, asked is not None)))
    train = found.get("train", [])
    labels = Counter(label for _, label in train if label)
    unnamed = [file for file, label in train if label is None]
    if asked and unnamed and labels:
        rule = "--label-pattern must be found in the name of each train image"
        return Nearly(Problem(f"{tree.path}/{printable(unnamed[0])}", rule, shown(asked), "mend it"))
    if asked and not labels:
        got = shown(train[0][0]) if train else "no train images"
        return Nearly(Problem(tree.path, f"--label-pattern {asked} must be found in names of images", got, "mend it"))
    if not asked and (unnamed or not are_classes(labels)):
        problem = _which_part(tree, [file for file, _ in train])
        return Nearly(problem) if problem else None
    if not asked and (problem := _two_sets(tree, files)):
        return Nearly(problem)
    return _reading(tree, found, asked, findings)


def _label(pattern: re.Pattern[str], file: str, asked: bool) -> str | None:
    """Returns the label in the name of a file, or None."""
    name = file.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    match = pattern.search(file) if asked else pattern.fullmatch(stem)
    return match.group(1) if match and match.group(1) else None


def label_in_name(file: str) -> str | None:
    """Returns the beginning of a file's name, before its number, or None."""
    return _label(LABEL_FIRST, file, asked=False)


def are_classes(labels: Counter[str]) -> bool:
    """Returns whether the beginnings of names are classes, and not words that cameras write."""
    few = len(labels) > 1 and min(labels.values()) >= IMAGES_A_CLASS
    words = {label.lower().strip("_- ") for label in labels}
    is_clear = not any(NUMBERED.search(label) for label in labels)
    return few and is_clear and not words & CAMERAS and not any(split_of(word) for word in words)


def _two_sets(tree: FileTree, files: list[str]) -> Problem | None:
    """Returns the problem that two folders have files of the same names, as images and their masks do; else None."""
    folders: dict[str, set[str]] = {}
    for file in files:
        folders.setdefault(PurePosixPath(file).stem, set()).add(folder_of(file))
    several = [some for some in folders.values() if len(some) > 1]
    if not several or len(several) < SHARE * len(folders) or len({frozenset(some) for some in several}) > 1:
        return None
    if all(split_in(part) for folder in several[0] for part in folder.split("/")[-1:]):
        return None
    first, *rest = sorted(several[0])
    got = " and ".join(shown(f"{folder}/") for folder in (first, *rest[:2]))
    way_out = f"choose with --images {shlex.quote(sorted(several[0], key=len)[0])}"
    return Problem(tree.path, "images of the same names must be in one folder", got, way_out)


def _which_part(tree: FileTree, files: list[str]) -> Problem | None:
    """Returns the problem that names consist of parts, and that the user must say which is the label; else None."""
    parts = [PART.split(PurePosixPath(file).stem) for file in files]
    (width, count), *_ = Counter(map(len, parts)).most_common(1) or [(0, 0)]
    if len(files) < FEWEST or not 2 <= width <= MOST_PARTS or count < SHARE * len(files):
        return None
    of_parts = [[some[at] for some in parts if len(some) == width] for at in range(width)]
    likely = [at for at, some in enumerate(of_parts) if 1 < len(set(some)) <= len(some) // 2]
    if not likely:
        return None
    first = PurePosixPath(files[0]).name
    ways = [f"--label-pattern '{_pattern_of(first, at)}' for {shown(of_parts[at][0])}" for at in likely[:4]]
    rule = "a part of the names may be the label, but which one is not known"
    return Problem(tree.path, rule, shown(first), f"choose {', '.join(ways)}")


def _pattern_of(name: str, at: int) -> str:
    """Returns the regular expression that finds one part, counted from 0, in names of this kind."""
    marks = [mark[0] for mark in PART.findall(name)]
    before = "".join(f"[^/{mark}]+{re.escape(mark)}" for mark in marks[:at])
    stop = marks[at] if at < len(marks) else "."
    return f"(?:^|/){before}([^/{stop}]+)[^/]*$"


def _reading(
    tree: FileTree, found: dict[str, list[tuple[str, str | None]]], asked: str | None, findings: Findings
) -> Reading:
    """Returns the reading of files whose names hold their labels.

    Args:
      tree: the data set.
      found: for each split its files, each with its label.
      asked: the value of `--label-pattern`.
      findings: takes problems.
    """
    listings = {}
    classes = {label for _, label in found["train"]}
    for split, pairs in found.items():
        shared = _shared_folder([file for file, _ in pairs])
        rows = [(file, label) for file, label in pairs if split == "test" or label]
        labels = tuple(label or "" for _, label in rows)
        is_labelled = split != "test" or classes.issuperset(labels)
        ids = tuple(file.removeprefix(shared) for file, _ in rows)
        place = f"{tree.path}/{printable(shared)}"
        listings[split] = Listing(place, ids, labels if is_labelled else None, tuple(file for file, _ in rows))
        check_ids(listings[split], findings)
    file, label = found["train"][0]
    inferred = f"label: {shown(label or '')} in {shown(file.rpartition('/')[2])}"
    form = "names of files" + ("" if asked is None else " by --label-pattern")
    return Reading(
        form,
        f"--label-pattern '{asked or LABEL_FIRST.pattern}'",
        listings,
        (inferred,),
        is_sure=asked is not None,
        rest="without a label in their names",
    )


def _shared_folder(files: list[str]) -> str:
    """Returns the deepest folder that holds all files, with `/` at its end; empty for the top."""
    folders = [folder_of(file).split("/") for file in files]
    shared: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "/".join(shared) + "/" if shared and shared != [""] else ""


SOURCE = Source("files that begin with their label (`cat.0.jpg`)", read)
