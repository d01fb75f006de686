"""Adds notes about everything in a data set that is not used, so that nothing is left out unnoticed."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection

from sweep.datasets.file_tree import COUNTED, FileTree
from sweep.datasets.listing_rules.rules_2 import suffix_of
from sweep.datasets.problems import Findings, shown
from sweep.datasets.sources.split_names import is_sample
from sweep.storage.text import counted

SHOWN = 5  # how many folders or suffixes a note lists
NEARLY_A_SPLIT = re.compile(
    "(train|training|val|valid|validate|validation|eval|evaluation|dev|test|testing|holdout)(set|data|images?|imgs?)?"
    "|samplesubmissions?"
)
TABLES = (".txt", ".csv", ".tsv")


def note_left_out(
    tree: FileTree, used_files: Collection[str], images_ending: str, findings: Findings, folder: str = ""
) -> None:
    """Adds a note that counts, by kind, all files that are not used; no note if everything is.

    Args:
      tree: the data set.
      used_files: names of the files that are used.
      images_ending: the end of the sentence about unused images, after the word "images".
      findings: takes the note.
      folder: only files in this folder count; empty for all, otherwise with `/` at its end.
    """
    folders: Counter[str] = Counter()  # images by folder
    suffixes: Counter[str] = Counter()  # other files by suffix
    refusals: Counter[str] = Counter()
    hidden_count = 0
    for name in [name for name in (*tree.files, *tree.refused) if name.startswith(folder) and name not in used_files]:
        if not tree.rules.is_visible(name):
            hidden_count += 1
        elif name in tree.refused:
            refusals[tree.refused[name]] += 1
        elif tree.is_image(name):
            folders[name.rpartition("/")[0]] += 1
        else:
            suffixes[suffix_of(name) or "without a suffix"] += 1
    parts = []
    if count := folders.total():
        places = _largest(folders, lambda folder: f"in {shown(folder + '/')}" if folder else "on top")
        parts.append(f"{counted(count, 'image', 'images')} {images_ending} ({places})")
    if count := suffixes.total():
        parts.append(f"{counted(count, 'file that is no image', 'files that are no images')} ({_largest(suffixes)})")
    if hidden_count:
        parts.append(counted(hidden_count, "hidden file", "hidden files"))
    parts += [counted(count, *COUNTED[reason]) for reason, count in sorted(refusals.items())]
    if parts:
        findings.notes.append(f"Left out: {', '.join(parts)}.")


def note_left_aside(
    tree: FileTree, root: str, used_files: Collection[str], folder_reason: str, table_reason: str, findings: Findings
) -> list[str]:
    """Adds a note for each unused folder or table at the top whose name is nearly that of a split; returns their names.

    The sample submission is not among them, except under the first listing rules, which do not read it.

    Args:
      tree: the data set.
      root: the folder whose content is checked, empty or with `/` at its end.
      used_files: names of the files that are used.
      folder_reason: says why such a folder is not used, and what to do.
      table_reason: the same for a table.
      findings: takes the notes.
    """
    tops: dict[str, list[str]] = defaultdict(list)
    for name in tree.visible:
        if name.startswith(root):
            top, slash, _ = name.removeprefix(root).partition("/")
            tops[top + slash].append(name)
    left_aside = []
    for top, files in tops.items():
        if not tree.rules.layouts_alone and is_sample(top):
            continue
        is_folder = top.endswith("/")
        stem = top if is_folder else top.rpartition(".")[0]
        is_candidate = is_folder or suffix_of(top) in TABLES
        letters = re.sub("[^a-z]", "", stem.lower())
        if is_candidate and NEARLY_A_SPLIT.fullmatch(letters) and not any(name in used_files for name in files):
            images = sum(tree.is_image(name) for name in files)
            with_images = f", with {counted(images, 'image', 'images')}" if is_folder else ""
            findings.notes.append(
                f"{shown(top)} is left aside{with_images}: {folder_reason if is_folder else table_reason}."
            )
            left_aside.append(top)
    return left_aside


def _largest(counts: Counter[str], word: Callable[[str], str] = str) -> str:
    """Returns the largest of these counts as text: `2 .txt, 1 .csv`."""
    parts = [f"{count:,} {word(name)}" for name, count in sorted(counts.items(), key=lambda kind: (-kind[1], kind[0]))]
    return ", ".join(parts[:SHOWN] + (["..."] if len(counts) > SHOWN else []))
