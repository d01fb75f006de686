"""Finds the images of a table, all of which lie in one folder."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings, shown
from sweep.datasets.sources.listing import SPLITS, Listing, first_refused, none_found
from sweep.datasets.table import Table
from sweep.storage.text import counted

TOGETHER = "train+validation"  # a folder that holds the images of both splits
STRAY_TIMES = 2  # a folder counts as an alternative only if the fullest has at most so many times its images
SHOWN = 3  # how many folders a message lists


def list_table(tree: FileTree, table: Table, table_folder: str, findings: Findings) -> tuple[Listing, str]:
    """Lists the images of a table, all from one folder; returns that folder as well.

    The folder is the one beside the table that is named like the table's split or the table; otherwise the folder of
    the table itself, because an id is a path; otherwise the only one that holds files of these names, within the folder
    named like the split if there is one. If several folders hold them, choosing one would be a guess, so that is a
    problem: one may hold masks, or each split may number its images anew. A few stray copies in other folders do not
    count, but are noted. Only the first listing rules guess.

    Args:
      tree: the data set.
      table: the table.
      table_folder: the folder of the table, empty or with `/` at its end.
      findings: takes problems and notes.
    """
    files, stem = _Files(tree), PurePath(table.place).stem
    counts = _count_by_folder(tree, table.ids)
    if tree.rules.table_folder is None:
        folder = _only_folder(tree, files, table, counts, table_folder, stem, findings)
    else:
        folder = tree.rules.table_folder(files.find, table.ids, tree.files, table_folder, _split_of(stem) or stem)
    if folder is None:
        return Listing(table.place, (), None if table.labels is None else (), (), ()), ""

    paths = [files.find(folder, name) for name in table.ids]
    hint = first_refused(tree) if not any(paths) else ""
    if len(paths) > 1 and not any(paths):
        findings.problems.append(none_found(tree, table.place, table.ids, hint))
        return Listing(table.place, (), None if table.labels is None else (), (), ()), folder
    other_form = 0
    for line, name, file in zip(table.lines, table.ids, paths, strict=True):
        if file is None:
            got = _why_missing(tree, files, folder, name, counts)
            rule = f"image must exist, {shown(name)} {got}{hint}"
            findings.refuse(f"{table.place}:{line}", rule, "", "add it or remove the row")
        elif file != folder + name:
            other_form += 1
    if other_form:
        ids = counted(other_form, "id names its", "ids name their")
        findings.notes.append(f"{table.place}: {ids} file in another Unicode form (NFC, NFD).")
    rows = [row for row, file in enumerate(paths) if file is not None]
    listing = Listing(table.place, table.ids, table.labels, tuple(file or "" for file in paths), table.lines)
    return listing.take(rows), folder


def _only_folder(
    tree: FileTree,
    files: "_Files",
    table: Table,
    counts: Counter[str],
    table_folder: str,
    stem: str,
    findings: Findings,
) -> str | None:
    """Returns the folder of a table's images; None after adding the problem that there are several."""
    candidates = [f"{table_folder}{name}/" for name in _folder_names(stem)]
    own_folders = [folder for folder in candidates if tree.holds(folder[:-1])]
    folders = [folder for folder in (*own_folders, table_folder) if files.hold_all(folder, table.ids)][:1]
    folders = folders or [folder for folder in own_folders if counts[folder]][:1]
    folders = folders or [folder for folder in sorted(counts) if folder.startswith(tuple(own_folders))]
    is_elsewhere = bool(own_folders and not folders)
    folders = folders or _not_of_other_splits(sorted(counts), stem) or own_folders[:1]
    fullest = max((counts[folder] for folder in folders), default=0)
    strays = [folder for folder in folders if STRAY_TIMES * counts[folder] < fullest]
    folders = [folder for folder in folders if folder not in strays]
    if len(folders) > 1:
        rule = f"the {counted(len(table.ids), 'image')} must be found in one folder only"
        way_out = f"call the right folder {shown(candidates[0])}, or write the folder into the ids"
        findings.refuse(table.place, rule, _fullest_folders({folder: counts[folder] for folder in folders}), way_out)
        return None
    folder = folders[0] if folders else table_folder
    if is_elsewhere and counts:
        rule = f"the images must be in {_place(own_folders[0])}, which is named as theirs"
        findings.refuse(table.place, rule, f"them in {_place(folder)}", "move them, or rename that folder")
    if strays:
        stray_counts = _fullest_folders({folder: counts[folder] for folder in strays})
        names = "this name" if len(table.ids) == 1 else "these names"
        findings.notes.append(
            f"{table.place}: its images are those in {_place(folder)}; others of {names} are left out: {stray_counts}."
        )
    return folder


class _Files:
    """The files of a tree by name, whatever the Unicode form of the names."""

    def __init__(self, tree: FileTree) -> None:
        self._files = tree.files
        self._by_form = {_form(name): name for name in tree.files}

    def find(self, folder: str, name: str) -> str | None:
        """Returns the file with this name in a folder, or None."""
        exact = folder + name
        return exact if exact in self._files else self._by_form.get(_form(exact))

    def hold_all(self, folder: str, names: Sequence[str]) -> bool:
        """Returns whether a folder has files with all of these names."""
        return all(self.find(folder, name) is not None for name in names)


def _form(name: str) -> str:
    """Returns a name in the Unicode form that is compared."""
    return unicodedata.normalize("NFC", name)


def _split_of(stem: str) -> str | None:
    """Returns the split that the name of a table means, or None."""
    return next((split for split, names in SPLITS.items() if stem.lower() in names), None)


def _folder_names(stem: str) -> tuple[str, ...]:
    """Returns the names that the folder of a table's images may have, the likeliest first."""
    split = _split_of(stem)
    shared_names = [TOGETHER] if split in ("train", "validation") else []
    return tuple(dict.fromkeys((stem, *SPLITS.get(split or "", ()), *shared_names)))


def _count_by_folder(tree: FileTree, ids: Sequence[str]) -> Counter[str]:
    """Returns the number of ids that are files in each visible folder; folders without such files are left out."""
    is_visible, names = tree.rules.is_visible, set(map(_form, ids))
    depths = {name.count("/") + 1 for name in names}
    counts: Counter[str] = Counter()
    for file in tree.files:
        parts = file.split("/")
        for depth in depths:
            folder = "".join(f"{part}/" for part in parts[:-depth])
            if depth <= len(parts) and _form("/".join(parts[-depth:])) in names and is_visible(folder[:-1]):
                counts[folder] += 1
    return counts


def _not_of_other_splits(folders: list[str], stem: str) -> list[str]:
    """Returns the folders without those of other splits (`test_images` for `train.csv`); all if none would be left."""
    own_names = SPLITS.get(_split_of(stem) or "", ())
    others = {name for names in SPLITS.values() if own_names and names != own_names for name in names}
    words = {folder: set(re.split("[^a-z0-9]+", folder.lower())) for folder in folders}
    return [folder for folder in folders if words[folder] & set(own_names) or not words[folder] & others] or folders


def _fullest_folders(counts: dict[str, int]) -> str:
    """Returns the number of images in the fullest folders, as text."""
    fullest = sorted(counts, key=lambda folder: (-counts[folder], folder))
    parts = [f"{counts[folder]:,} in {_place(folder)}" for folder in fullest[:SHOWN]]
    if len(fullest) > SHOWN:
        parts.append(counted(len(fullest) - SHOWN, "more folder"))
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _why_missing(tree: FileTree, files: _Files, folder: str, name: str, counts: Counter[str]) -> str:
    """Returns the reason why an image was not found."""
    if tree.holds(folder + name):
        return tree.why_not(folder + name)
    other = next((each for each in sorted(counts) if files.find(each, name)), None)
    if other is None:
        return "is in no folder beside the manifest"
    return f"is in {_place(other)}, not in {_place(folder)}"


def _place(folder: str) -> str:
    """Returns a folder as messages show it."""
    return shown(folder) if folder else "the folder of the table"
