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


def list_table(tree: FileTree, table: Table, beside: str, findings: Findings) -> tuple[Listing, str]:
    """Lists the images of a table, all from one folder; returns that folder as well.

    The folder is the one beside the table that is named like the table's split or the table; otherwise the folder of
    the table itself, because an id is a path; otherwise the only one that holds files of these names, within the folder
    named like the split if there is one. If several folders hold them, choosing one would be a guess, so that is a
    problem: one may hold masks, or each split may number its images anew. A few stray copies do not count, but give a
    note. Only the first listing rules guess.

    Args:
      tree: the data set.
      table: the table.
      beside: the folder of the table, empty or with `/` at its end.
      findings: takes problems and notes.
    """
    files, stem = _Files(tree), PurePath(table.place).stem
    holding = _folders_holding(tree, table.ids)
    if tree.rules.table_folder is None:
        where = _only_folder(tree, files, table, holding, beside, stem, findings)
    else:
        where = tree.rules.table_folder(files.find, table.ids, tree.files, beside, _split_of(stem) or stem)
    if where is None:
        return Listing(table.place, (), None if table.labels is None else (), (), ()), ""

    found = [files.find(where, name) for name in table.ids]
    hint = first_refused(tree) if not any(found) else ""
    if len(found) > 1 and not any(found):
        findings.problems.append(none_found(tree, table.place, table.ids, hint))
        return Listing(table.place, (), None if table.labels is None else (), (), ()), where
    other_form = 0
    for line, name, file in zip(table.lines, table.ids, found, strict=True):
        if file is None:
            got = _why_missing(tree, files, where, name, holding)
            rule = f"image must exist, {shown(name)} {got}{hint}"
            findings.refuse(f"{table.place}:{line}", rule, "", "add it or remove the row")
        elif file != where + name:
            other_form += 1
    if other_form:
        ids = counted(other_form, "id names its", "ids name their")
        findings.notes.append(f"{table.place}: {ids} file in another Unicode form (NFC, NFD).")
    rows = [row for row, file in enumerate(found) if file is not None]
    every = Listing(table.place, table.ids, table.labels, tuple(file or "" for file in found), table.lines)
    return every.take(rows), where


def _only_folder(
    tree: FileTree,
    files: "_Files",
    table: Table,
    holding: Counter[str],
    beside: str,
    stem: str,
    findings: Findings,
) -> str | None:
    """Returns the folder of a table's images; None after adding the problem that there are several."""
    named = [f"{beside}{name}/" for name in _folder_names(stem)]
    there = [folder for folder in named if tree.holds(folder[:-1])]
    folders = [folder for folder in (*there, beside) if files.hold_all(folder, table.ids)][:1]
    folders = folders or [folder for folder in there if holding[folder]][:1]
    folders = folders or [folder for folder in sorted(holding) if folder.startswith(tuple(there))]
    is_elsewhere = bool(there and not folders)
    folders = folders or _not_of_other_splits(sorted(holding), stem) or there[:1]
    fullest = max((holding[folder] for folder in folders), default=0)
    strays = [folder for folder in folders if STRAY_TIMES * holding[folder] < fullest]
    folders = [folder for folder in folders if folder not in strays]
    if len(folders) > 1:
        rule = f"the {counted(len(table.ids), 'image')} must be found in one folder only"
        way_out = f"call the right folder {shown(named[0])}, or write the folder into the ids"
        findings.refuse(table.place, rule, _fullest_folders({folder: holding[folder] for folder in folders}), way_out)
        return None
    where = folders[0] if folders else beside
    if is_elsewhere and holding:
        rule = f"the images must be in {_place(there[0])}, which is named as theirs"
        findings.refuse(table.place, rule, f"them in {_place(where)}", "move them, or rename that folder")
    if strays:
        fewer = _fullest_folders({folder: holding[folder] for folder in strays})
        names = "this name" if len(table.ids) == 1 else "these names"
        findings.notes.append(
            f"{table.place}: its images are those in {_place(where)}; others of {names} are left out: {fewer}."
        )
    return where


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
    """Returns the split that the name of a table is, or None."""
    return next((split for split, names in SPLITS.items() if stem.lower() in names), None)


def _folder_names(stem: str) -> tuple[str, ...]:
    """Returns the names that the folder of a table's images may have, the likeliest first."""
    split = _split_of(stem)
    together = [TOGETHER] if split in ("train", "validation") else []
    return tuple(dict.fromkeys((stem, *SPLITS.get(split or "", ()), *together)))


def _folders_holding(tree: FileTree, ids: Sequence[str]) -> Counter[str]:
    """Returns how many of the ids are files below each visible folder that holds any."""
    is_visible, names = tree.rules.is_visible, set(map(_form, ids))
    depths = {name.count("/") + 1 for name in names}
    folders: Counter[str] = Counter()
    for file in tree.files:
        parts = file.split("/")
        for depth in depths:
            folder = "".join(f"{part}/" for part in parts[:-depth])
            if depth <= len(parts) and _form("/".join(parts[-depth:])) in names and is_visible(folder[:-1]):
                folders[folder] += 1
    return folders


def _not_of_other_splits(folders: list[str], stem: str) -> list[str]:
    """Returns the folders without those of other splits (`test_images` for `train.csv`); all if none would be left."""
    ours = SPLITS.get(_split_of(stem) or "", ())
    others = {name for names in SPLITS.values() if ours and names != ours for name in names}
    words = {folder: set(re.split("[^a-z0-9]+", folder.lower())) for folder in folders}
    return [folder for folder in folders if words[folder] & set(ours) or not words[folder] & others] or folders


def _fullest_folders(holding: dict[str, int]) -> str:
    """Returns the number of images in the fullest folders, as text."""
    fullest = sorted(holding, key=lambda folder: (-holding[folder], folder))
    parts = [f"{holding[folder]:,} in {_place(folder)}" for folder in fullest[:SHOWN]]
    if len(fullest) > SHOWN:
        parts.append(counted(len(fullest) - SHOWN, "more folder"))
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _why_missing(tree: FileTree, files: _Files, where: str, name: str, holding: Counter[str]) -> str:
    """Returns the reason why an image was not found."""
    if tree.holds(where + name):
        return tree.why_not(where + name)
    other = next((folder for folder in sorted(holding) if files.find(folder, name)), None)
    if other is None:
        return "is in no folder beside the manifest"
    return f"is in {_place(other)}, not in {_place(where)}"


def _place(folder: str) -> str:
    """Returns a folder as messages show it."""
    return shown(folder) if folder else "the folder of the table"
