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
    flag = options.label_pattern
    # --images may name the folder of files of any form
    if not flag and asks_for_tables(replace(options, images=None)):
        return None
    pattern = LABEL_FIRST
    if flag:
        try:
            pattern = re.compile(flag)
        except re.error as error:
            rule = "--label-pattern must be a regular expression"
            return Nearly(Problem("", rule, f"{shown(flag)}: {error}", "mend it"))
        if not pattern.groups:
            rule = "--label-pattern must have a group, which is the label"
            return Nearly(Problem("", rule, shown(flag), "put it in parentheses: '([a-z]+)_'"))
    by_split: dict[str, list[tuple[str, str | None]]] = {}
    folder = f"{options.images.strip('/')}/" if options.images else ""
    files = [file for file in image_files(tree) if file.startswith(folder)]
    splits = splits_in({part for file in files for part in file.split("/")[:-1]})
    for file in files:
        split = next((split for part in file.split("/")[:-1] if (split := splits[part])), "train")
        by_split.setdefault(split, []).append((file, _label(pattern, file, flag is not None)))
    train = by_split.get("train", [])
    labels = Counter(label for _, label in train if label)
    unlabelled = [file for file, label in train if label is None]
    if flag and unlabelled and labels:
        rule = "--label-pattern must be found in the name of each train image"
        return Nearly(Problem(f"{tree.path}/{printable(unlabelled[0])}", rule, shown(flag), "mend it"))
    if flag and not labels:
        got = shown(train[0][0]) if train else "no train images"
        return Nearly(Problem(tree.path, f"--label-pattern {flag} must be found in names of images", got, "mend it"))
    if not flag and (unlabelled or not are_classes(labels)):
        problem = _ambiguous_part(tree, [file for file, _ in train])
        return Nearly(problem) if problem else None
    if not flag and (problem := _two_sets(tree, files)):
        return Nearly(problem)
    return _reading(tree, by_split, flag, findings)


def _label(pattern: re.Pattern[str], file: str, by_flag: bool) -> str | None:
    """Returns the label in the name of a file, or None."""
    name = file.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    match = pattern.search(file) if by_flag else pattern.fullmatch(stem)
    return match.group(1) if match and match.group(1) else None


def label_in_name(file: str) -> str | None:
    """Returns the beginning of a file's name, before its number, or None."""
    return _label(LABEL_FIRST, file, by_flag=False)


def are_classes(labels: Counter[str]) -> bool:
    """Returns whether the beginnings of names are classes, and not words that cameras write."""
    are_repeated = len(labels) > 1 and min(labels.values()) >= IMAGES_A_CLASS
    words = {label.lower().strip("_- ") for label in labels}
    is_clear = not any(NUMBERED.search(label) for label in labels)
    return are_repeated and is_clear and not words & CAMERAS and not any(split_of(word) for word in words)


def _two_sets(tree: FileTree, files: list[str]) -> Problem | None:
    """Returns the problem that two folders have files of the same names, as images and their masks do; else None."""
    folders: dict[str, set[str]] = {}
    for file in files:
        folders.setdefault(PurePosixPath(file).stem, set()).add(folder_of(file))
    repeated = [names for names in folders.values() if len(names) > 1]
    if not repeated or len(repeated) < SHARE * len(folders) or len({frozenset(names) for names in repeated}) > 1:
        return None
    if all(split_in(part) for folder in repeated[0] for part in folder.split("/")[-1:]):
        return None
    first, *rest = sorted(repeated[0])
    got = " and ".join(shown(f"{folder}/") for folder in (first, *rest[:2]))
    way_out = f"choose with --images {shlex.quote(sorted(repeated[0], key=len)[0])}"
    return Problem(tree.path, "images of the same names must be in one folder", got, way_out)


def _ambiguous_part(tree: FileTree, files: list[str]) -> Problem | None:
    """Returns the problem that names consist of parts, and that the user must say which is the label; else None."""
    parts = [PART.split(PurePosixPath(file).stem) for file in files]
    (width, count), *_ = Counter(map(len, parts)).most_common(1) or [(0, 0)]
    if len(files) < FEWEST or not 2 <= width <= MOST_PARTS or count < SHARE * len(files):
        return None
    columns = [[words[index] for words in parts if len(words) == width] for index in range(width)]
    likely = [index for index, column in enumerate(columns) if 1 < len(set(column)) <= len(column) // 2]
    if not likely:
        return None
    first = PurePosixPath(files[0]).name
    ways = [f"--label-pattern '{_pattern_of(first, index)}' for {shown(columns[index][0])}" for index in likely[:4]]
    rule = "a part of the names may be the label, but which one is not known"
    return Problem(tree.path, rule, shown(first), f"choose {', '.join(ways)}")


def _pattern_of(name: str, index: int) -> str:
    """Returns the regular expression that finds one part, counted from 0, in names of this kind."""
    marks = [mark[0] for mark in PART.findall(name)]
    prefix = "".join(f"[^/{mark}]+{re.escape(mark)}" for mark in marks[:index])
    end = marks[index] if index < len(marks) else "."
    return f"(?:^|/){prefix}([^/{end}]+)[^/]*$"


def _reading(
    tree: FileTree, by_split: dict[str, list[tuple[str, str | None]]], flag: str | None, findings: Findings
) -> Reading:
    """Returns the reading of files whose names hold their labels.

    Args:
      tree: the data set.
      by_split: for each split its files, each with its label.
      flag: the value of `--label-pattern`.
      findings: takes problems.
    """
    listings = {}
    classes = {label for _, label in by_split["train"]}
    for split, pairs in by_split.items():
        folder = _shared_folder([file for file, _ in pairs])
        rows = [(file, label) for file, label in pairs if split == "test" or label]
        labels = tuple(label or "" for _, label in rows)
        is_labelled = split != "test" or classes.issuperset(labels)
        ids = tuple(file.removeprefix(folder) for file, _ in rows)
        place = f"{tree.path}/{printable(folder)}"
        listings[split] = Listing(place, ids, labels if is_labelled else None, tuple(file for file, _ in rows))
        check_ids(listings[split], findings)
    file, label = by_split["train"][0]
    inferred = f"label: {shown(label or '')} in {shown(file.rpartition('/')[2])}"
    form = "names of files" + ("" if flag is None else " by --label-pattern")
    return Reading(
        form,
        f"--label-pattern '{flag or LABEL_FIRST.pattern}'",
        listings,
        (inferred,),
        is_sure=flag is not None,
        rest="without a label in their names",
    )


def _shared_folder(files: list[str]) -> str:
    """Returns the deepest folder that holds all files, with `/` at its end; empty for the top."""
    folders = [folder_of(file).split("/") for file in files]
    common: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "/".join(common) + "/" if common and common != [""] else ""


SOURCE = Source("files that begin with their label (`cat.0.jpg`)", read)
