"""The tree of folders that hold images, and what their names say: splits, classes, or mere parts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sweep.datasets.file_tree import FileTree
from sweep.datasets.problems import Findings, shown
from sweep.datasets.sources.images import PLAIN_WORDS, image_files, says_only_images, without_masks
from sweep.datasets.sources.split_names import OF_WORD, is_of_both, split_in, split_of, words_of

# Words in names of folders whose images illustrate the data and are not a part of it.
ASIDE_WORDS = {"doc", "docs", "documentation", "assets", "figure", "figures", "figs", "screenshots", "media", "static"}
ASIDE_WORDS |= {"readme", "logo", "logos", "result", "results", "output", "outputs", "demo", "notebooks"}
COMPARED = 20  # pairs of files, about, by which one folder is recognised as a copy of another
STRAY_SHARE = 0.1  # images that lie beside folders are strays if they are at most this share
ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)


@dataclass
class Folder:
    """A folder with images in it or below it.

    Attributes:
      path: its path in the tree, with `/` at its end; empty for the top.
      images: the images directly in it.
      inner: the folders in it that hold images, by name.
    """

    path: str
    images: list[str] = field(default_factory=list)
    inner: dict[str, "Folder"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rstrip("/").rpartition("/")[2]

    def every(self) -> list[str]:
        """Returns all images in it and below it, sorted."""
        return sorted([*self.images, *(image for folder in self.inner.values() for image in folder.every())])


def folders_of(tree: FileTree) -> Folder:
    """Returns the top folder, with all images of the tree but masks."""
    top = Folder("")
    for name in without_masks(image_files(tree)):
        folder = top
        for part in name.split("/")[:-1]:
            folder = folder.inner.setdefault(part, Folder(f"{folder.path}{part}/"))
        folder.images.append(name)
    return top


def class_name(tree: FileTree, folder: str) -> str:
    """Returns the name of the class that a folder or an archive holds."""
    return tree.rules.class_name(ARCHIVE.sub("", folder))


def remove_copies(tree: FileTree, folder: Folder, findings: Findings) -> None:
    """Removes each folder whose images also lie beside it: the same files under the same paths."""
    for name, inner in list(folder.inner.items()):
        remove_copies(tree, inner, findings)
        if not inner.inner or not inner.inner.keys() <= folder.inner.keys() - {name}:
            continue
        images = inner.every()
        others = {folder.path + image.removeprefix(inner.path): image for image in images}
        beside = {image for each in folder.inner.values() if each is not inner for image in each.every()}
        if beside.issuperset(others) and _are_same(tree, others):
            del folder.inner[name]
            findings.notes.append(f"{shown(inner.path)} is a copy of what is beside it, and left out.")


def _are_same(tree: FileTree, pairs: Mapping[str, str]) -> bool:
    """Returns whether the files of each pair have the same bytes, judged by some of the pairs."""
    some = list(pairs.items())[:: max(1, len(pairs) // COMPARED)]
    return all(tree.read(first) == tree.read(second) for first, second in some)


def _only_folder(folder: Folder) -> Folder | None:
    """Returns the only folder that holds images, apart from strays; None if there are several."""
    inner = [each for name, each in folder.inner.items() if not set(words_of(name)) & ASIDE_WORDS]
    if len(folder.inner) > 1 and len(inner) == 1 and len(_classes(inner[0])) < 2:
        return None  # beside a folder of one class, folders with such names are classes too
    return inner[0] if len(inner) == 1 and len(folder.images) <= STRAY_SHARE * len(inner[0].every()) else None


def _classes(folder: Folder) -> dict[str, Folder]:
    """Returns the inner folders of the first folder, at or below this one, that has several."""
    while len(folder.inner) == 1:
        (folder,) = folder.inner.values()
    return folder.inner


def are_numbered(names: list[str]) -> bool:
    """Returns whether the names are all numbers, or one word with different numbers."""
    words = {tuple(words_of(name)) for name in names}
    return len(words) == 1 and len(names) > 1 and all(re.search(r"\d", name) for name in names)


def is_split_level(folder: Folder) -> bool:
    """Returns whether the folders in a folder are splits.

    They are if one of them means train and has folders inside, and either another one means validation or test, or
    train has several folders at the level of its classes.
    """
    splits = {name: folder_split(name) for name in folder.inner}
    trains = [inner for name, inner in folder.inner.items() if splits[name] == "train"]
    if not any(inner.inner for inner in trains):
        return False
    others = [split for split in splits.values() if split not in ("train", None)]
    has_classes = any(len(entered(inner, "train").inner) > 1 for inner in trains)
    return bool(others) or has_classes


def folder_split(name: str) -> str | None:
    """Returns the split that the name of a folder means; train and validation together are train."""
    return "train" if is_of_both(name) else split_in(name)


def level_of_splits(folder: Folder) -> Folder | None:
    """Returns the folder nearest to the top whose inner folders are splits, or None."""
    level = [folder]
    while level:
        if matches := [each for each in level if is_split_level(each)]:
            return matches[0]
        level = [inner for each in level for inner in each.inner.values()]
    return None


def level_of_classes(folder: Folder) -> Folder | None:
    """Returns the folder whose inner folders are the classes: the first with several; None if they are mere parts."""
    while (inner := _only_folder(folder)) is not None:
        folder = inner
    if are_numbered([*folder.inner]) and all(len(inner.inner) > 1 for inner in folder.inner.values()):
        return folder  # each numbered folder may be a part that has all classes
    classes = [name for name in folder.inner if not is_of_split(name) and not says_only_images(name)]
    # `train-000.tar` and `test-000.tar` are not classes.
    others = [name for name in classes if not ARCHIVE.search(name) or split_in(name) is None]
    return folder if len(others) > 1 and not _are_parts(classes) and not _are_splits(classes) else None


def without_split(name: str) -> str:
    """Returns the name of a folder without the word that is a split: `cats` for `cats_train`."""
    return "_".join(word for word in re.split(r"[\W_]+", name) if word and split_of(word) is None)


def _are_splits(names: list[str]) -> bool:
    """Returns whether the names are splits of one thing: `cars_train` and `cars_test`."""
    splits = {folder_split(name) for name in names}
    return "train" in splits and None not in splits and len({without_split(name) for name in names}) == 1


def splits_without_train(folder: Folder) -> list[Folder]:
    """Returns the folders of splits, if all of them are validation or test, so that there is nothing to train on."""
    while len(folder.inner) == 1 and not folder.images and not any(map(is_of_split, folder.inner)):
        (folder,) = folder.inner.values()
    splits = [inner for name, inner in folder.inner.items() if is_of_split(name) and folder_split(name) != "train"]
    return splits if len(splits) == len(folder.inner) and any(inner.inner for inner in splits) else []


def is_of_split(name: str) -> bool:
    """Returns whether the name of a folder means a split and nothing else: `test`, or `test_images`."""
    others = set(words_of(name)) - PLAIN_WORDS - OF_WORD.keys()
    return split_of(name) is not None or (split_in(name) is not None and not others)


def _are_parts(names: list[str]) -> bool:
    """Returns whether the names are one plain word with numbers: `part_1`, `part_2`."""
    words = {tuple(words_of(name)) for name in names}
    return len(words) == 1 and bool(set(*words) & PLAIN_WORDS)


def entered(folder: Folder, split: str) -> Folder:
    """Returns the folder that holds the classes of a split, which may be further down: `seg_train/seg_train/`."""
    while len(folder.inner) == 1 and not folder.images:
        ((name, inner),) = folder.inner.items()
        if folder_split(name) != split and not set(words_of(name)) <= PLAIN_WORDS:
            break
        folder = inner
    return folder
