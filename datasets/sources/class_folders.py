"""Data as a folder a class, at any depth, with folders of splits above or below the classes, or without any."""

from dataclasses import dataclass, field

from datasets.file_tree import FileTree
from datasets.labels import label_problem
from datasets.problems import Findings, Problem, printable, shown
from datasets.sources import Nearly, Reading, Source, asks_for_tables
from datasets.sources.images import image_files
from datasets.sources.listing import Listing, check_ids
from datasets.sources.split_names import is_for_prediction, is_of_both, split_in, split_of, splits_in, words_of
from datasets.sources.split_tables import labelled_by_table
from storage.sweep_file import DataOptions
from storage.text import counted

# Words that say of a folder that it holds images, and not which.
PLAIN_WORDS = {"image", "images", "img", "imgs", "jpg", "jpeg", "png", "data", "dataset", "part", "folder", "photos"}
PLAIN_WORDS |= {"pictures", "mask", "masks", "annotations", "labels"}
PLAIN_WORDS |= {"set", "batch", "archive", "zip", "tar", "raw", "new", "all"}


REST = "in no folder of a class"


@dataclass
class Folder:
    """A folder with images in it or below.

    Attributes:
      path: in the tree, empty for the top, else with `/` at its end.
      images: those directly in it.
      inner: the folders in it, by name, that have images.
    """

    path: str
    images: list[str] = field(default_factory=list)
    inner: dict[str, "Folder"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    def every(self) -> list[str]:
        """Returns all images in it and below, sorted."""
        return sorted([*self.images, *(image for folder in self.inner.values() for image in folder.every())])


def folders_of(tree: FileTree) -> Folder:
    """Returns the top, with all images of the tree."""
    top = Folder("")
    for name in image_files(tree):
        folder = top
        for part in name.split("/")[:-1]:
            folder = folder.inner.setdefault(part, Folder(f"{folder.path}{part}/"))
        folder.images.append(name)
    return top


def read(tree: FileTree, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    if options.label_pattern or asks_for_tables(options):
        return None
    top = folders_of(tree)
    if options.train or options.valid or options.test:
        return _as_named(tree, top, options, findings)
    if (level := _level_of_splits(top)) is not None:
        return _with_splits(tree, level, findings)
    level = _level_of_classes(top)
    if level is None:
        return None
    return _with_classes(tree, level, findings)


def is_split_level(folder: Folder) -> bool:
    """Says whether the folders in a folder are splits: one is train and has folders, another is one too or has none."""
    splits = {name: _split_in(name) for name in folder.inner}
    trains = [inner for name, inner in folder.inner.items() if splits[name] == "train"]
    if not any(inner.inner for inner in trains):
        return False
    others = [split for split in splits.values() if split not in ("train", None)]
    has_classes = any(len(_entered(inner, "train").inner) > 1 for inner in trains)
    return bool(others) or has_classes


def _split_in(name: str) -> str | None:
    """Returns the split that a folder's name means; one of train and validation together is train."""
    return "train" if is_of_both(name) else split_in(name)


def _level_of_splits(folder: Folder) -> Folder | None:
    """Returns the folder nearest to the top whose folders are splits."""
    level = [folder]
    while level:
        if found := [each for each in level if is_split_level(each)]:
            return found[0]
        level = [inner for each in level for inner in each.inner.values()]
    return None


def _level_of_classes(folder: Folder) -> Folder | None:
    """Returns the folder whose folders are classes: the first with two or more; None where these are mere parts."""
    while len(folder.inner) == 1 and not folder.images:
        (folder,) = folder.inner.values()
    classes = [name for name in folder.inner if not split_of(name) and not set(words_of(name)) <= PLAIN_WORDS]
    return folder if len(classes) > 1 and not _is_numbered(classes) else None


def _is_numbered(names: list[str]) -> bool:
    """Says whether the names are one plain word with numbers: `part_1`, `part_2`."""
    words = {tuple(words_of(name)) for name in names}
    return len(words) == 1 and bool(set(*words) & PLAIN_WORDS)


def _entered(folder: Folder, split: str) -> Folder:
    """Returns the folder in which the classes of a split are: `seg_train/seg_train/`, `train/images/`."""
    while len(folder.inner) == 1 and not folder.images:
        ((name, inner),) = folder.inner.items()
        if _split_in(name) != split and not set(words_of(name)) <= PLAIN_WORDS:
            break
        folder = inner
    return folder


def _as_named(tree: FileTree, top: Folder, options: DataOptions, findings: Findings) -> Reading | Nearly | None:
    """Reads the folders that flags name as splits; None where a flag names a table."""
    asked = {"train": options.train, "validation": options.valid, "test": options.test}
    found: dict[str, Folder] = {}
    for split, path in asked.items():
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
            found[split] = folder
    if "train" not in found and (level := _level_of_splits(top)) is not None:
        for name, of_name in splits_in(level.inner).items():
            if meant := "train" if is_of_both(name) else of_name:
                found.setdefault(meant, _entered(level.inner[name], meant))
    if "train" in found and not found["train"].inner:
        rule = "--train must name a table, or a folder with a folder a class"
        return Nearly(
            Problem(tree.path, rule, f"{shown(found['train'].path)} with images", "give --label-pattern as well")
        )
    return _listed(tree, found, "", findings) if "train" in found else None


def _with_splits(tree: FileTree, level: Folder, findings: Findings) -> Reading | None:
    """Reads folders of splits, with folders of classes in them."""
    found: dict[str, Folder] = {}
    of_names = splits_in(level.inner)
    for name, folder in level.inner.items():
        split = "train" if is_of_both(name) else of_names[name]
        if split is None:
            if is_split_level(folder) or folder.name == level.name:
                own = {image.removeprefix(level.path) for image in level.every()}
                if all(image.removeprefix(folder.path) in own for image in folder.every()):
                    findings.notes.append(f"{shown(folder.path)} is a copy of what is beside it, and left out.")
            continue
        if split in found:
            first, second = found[split], folder
            if split == "test" and is_for_prediction(first.name) != is_for_prediction(name):
                kept, other = (second, first) if is_for_prediction(first.name) else (first, second)
                found[split] = kept
                count, place = counted(len(other.every()), "image"), f"{tree.path}/{printable(other.path)}"
                findings.notes.append(f"{shown(other.path)} has {count} to predict: analysis.predict --images {place}")
                continue
            got = f"{shown(first.path)} and {shown(second.path)}"
            flag = {"train": "--train", "validation": "--valid", "test": "--test"}[split]
            rule = f"there must be one folder for {split}"
            findings.refuse(tree.path, rule, got, f"choose with {flag} {first.path} or {flag} {second.path}")
            continue
        found[split] = folder
    return _listed(tree, {split: _entered(folder, split) for split, folder in found.items()}, level.path, findings)


def _listed(tree: FileTree, found: dict[str, Folder], level: str, findings: Findings) -> Reading | None:
    train = found["train"]
    if not train.inner:
        return None
    listings: dict[str, Listing] = {}
    classes: set[str] = set()
    for split in ("train", "validation", "test"):
        if split not in found:
            continue
        folder = found[split]
        files = folder.every()
        if split == "train":
            classes = {tree.rules.class_name(name) for name in folder.inner}
            _check_empty(tree, folder, findings)
        ids = [file.removeprefix(folder.path) for file in files]
        labels = [tree.rules.class_name(name.partition("/")[0]) if "/" in name else "" for name in ids]
        place = f"{tree.path}/{printable(folder.path)}"
        if split == "test":
            is_labelled = all(label in classes for label in labels)
            listings[split] = Listing(place, tuple(ids), tuple(labels) if is_labelled else None, tuple(files))
            check_ids(listings[split], findings)
        elif folder.inner:
            rows = [row for row, label in enumerate(labels) if label]
            listing = Listing(place, tuple(ids), tuple(labels), tuple(files)).take(rows)
            listings[split] = _checked(listing, findings)
        else:
            continue
    tables: set[str] = set()
    flat = [split for split in ("validation", "test") if split in found and not found[split].inner]
    for split in flat:
        if by_table := labelled_by_table(tree, split, found[split].path, classes):
            listings[split] = by_table
            tables.add(by_table.place.removeprefix(f"{tree.path}/"))
    form = f"folders of classes below {shown(train.path or '/')}"
    inferred = [f"{split}: {shown(folder.path)}" for split, folder in found.items() if split in listings]
    inferred += [f"labels of {shown(file)}" for file in sorted(tables)]
    if "test" in listings and listings["test"].labels is not None:
        inferred.append("test has labels")
    told = (*inferred, "label: the folder")
    return Reading(form, f"--train {train.path or '.'}", listings, told, frozenset(tables), rest=REST)


def _with_classes(tree: FileTree, level: Folder, findings: Findings) -> Reading:
    """Reads folders of classes without folders of splits above them, and perhaps with some in them."""
    test = [folder for name, folder in level.inner.items() if split_of(name) == "test" and not folder.inner]
    classes = [folder for folder in level.inner.values() if folder not in test]
    if all(_has_splits(folder) for folder in classes):
        return _with_splits_below(tree, level, classes, findings)
    files = sorted(file for folder in classes for file in folder.every())
    ids = tuple(file.removeprefix(level.path) for file in files)
    labels = tuple(tree.rules.class_name(name.partition("/")[0]) for name in ids)
    place = f"{tree.path}/{printable(level.path)}"
    listings = {"train": _checked(Listing(place, ids, labels, tuple(files)), findings)}
    if test:
        own = test[0].every()
        names = tuple(file.removeprefix(test[0].path) for file in own)
        listings["test"] = Listing(f"{tree.path}/{printable(test[0].path)}", names, None, tuple(own))
    form = f"folders of classes in {shown(level.path or '/')}"
    return Reading(form, f"--train {level.path or '.'}", listings, ("label: the folder",), rest=REST)


def _has_splits(folder: Folder) -> bool:
    splits = [split_of(name) for name in folder.inner]
    return "train" in splits and None not in splits and not folder.images


def _with_splits_below(tree: FileTree, level: Folder, classes: list[Folder], findings: Findings) -> Reading:
    found: dict[str, list[tuple[str, str]]] = {}
    for folder in classes:
        for name, inner in folder.inner.items():
            label = tree.rules.class_name(folder.name)
            found.setdefault(split_of(name) or "train", []).extend((file, label) for file in inner.every())
    listings = {}
    for split in ("train", "validation", "test"):
        if pairs := sorted(found.get(split, [])):
            ids = tuple(file.removeprefix(level.path) for file, _ in pairs)
            place = f"{tree.path}/{printable(level.path)}"
            labels = tuple(label for _, label in pairs)
            listings[split] = _checked(Listing(place, ids, labels, tuple(file for file, _ in pairs)), findings)
    form = f"folders of classes in {shown(level.path or '/')} with folders of splits in each"
    inferred = ("label: the first folder", "split: the second")
    return Reading(form, f"--train {level.path or '.'}", listings, inferred, rest=REST)


def _check_empty(tree: FileTree, train: Folder, findings: Findings) -> None:
    """Checks that no class vanishes because its images are somewhere else."""
    for name in sorted(filter(tree.rules.is_visible, tree.folders)):
        inner = name.removeprefix(train.path)
        if name.startswith(train.path) and "/" not in inner and inner not in train.inner:
            place, got = f"{tree.path}/{printable(name)}", "none with an image's suffix"
            findings.refuse(place, "class must have 2 images or more", got, "add some or remove the folder")


def _checked(listing: Listing, findings: Findings) -> Listing:
    """Returns the listing without those whose id or label cannot be, which are problems."""
    check_ids(listing, findings)
    rows = []
    for row, label in enumerate(listing.labels or ()):
        if broken := label_problem(label, listing.place_of(row)):
            rule = f"must have a good label: {broken.rule}"
            findings.problems.append(listing.problem(row, rule, broken.got, broken.way_out))
        else:
            rows.append(row)
    return listing.take(rows)


SOURCE = Source("folders of classes, at any depth, with or without folders of splits", read)
