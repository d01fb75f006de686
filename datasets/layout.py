"""Which images a data set has, in either of its two layouts, before any is read."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from datasets.manifest import DataError, Table, id_problem, label_problem, parse_table, printable, shown
from datasets.source import Source
from datasets.text import counted

MANIFESTS = {
    "train": ("train",),
    "validation": ("validation", "valid", "val"),
    "test": ("test",),
    "sample_submission": ("sample_submission",),
}
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Listing:
    """One split: N images to read.

    Attributes:
      place: of the manifest or the folder, for messages.
      labels: as they were written; None where there are none.
      files: names in the source.
      places: how a message about an image begins.
    """

    place: str
    ids: tuple[str, ...]
    labels: tuple[str, ...] | None
    files: tuple[str, ...]
    places: tuple[str, ...]

    def take(self, rows: Sequence[int] | np.ndarray) -> "Listing":
        """These rows alone, in their order."""
        labels = None if self.labels is None else tuple(self.labels[row] for row in rows)
        ids, files, places = (tuple(column[row] for row in rows) for column in (self.ids, self.files, self.places))
        return Listing(self.place, ids, labels, files, places)


Splits = tuple[dict[str, Listing], tuple[str, ...] | None]


def find_splits(source: Source, problems: list[str], notes: list[str]) -> Splits:
    """The splits by name (`train`, and `validation` and `test` where there are any); the ids of the sample submission.

    Problems and notes are appended; a split with a broken manifest is left out.

    Raises:
      DataError: nothing in the source looks like a data set.
    """
    names = list(_visible(source))
    for root in _roots(names):
        if any(source.holds(f"{root}train{suffix}") for suffix in (".txt", ".csv")):
            return _from_manifests(source, root, problems, notes)
        if any(name.startswith(f"{root}train/") for name in names):
            return _from_class_folders(source, root, names, problems, notes), None
    rule = "data must hold train.txt or train.csv with its images, or folders train/CLASS/"
    got = ", ".join(map(shown, names[:3])) or "no files"
    raise DataError([f"{source.path}: {rule}, got {got}{_first_refused(source)}; check the path"])


def list_folder(source: Source) -> Listing:
    """Every image file by its suffix, sorted; the ids are the relative names."""
    return _unlabelled(source, [name for name in _visible(source) if name.lower().endswith(SUFFIXES)])


def list_table(source: Source, table: Table, folders: Iterable[str], problems: list[str], notes: list[str]) -> Listing:
    """The images of a manifest, all from the one folder that holds most of its ids.

    Args:
      folders: where to look, each empty or with `/` at its end; the first of equals wins.
    """
    by_form = {unicodedata.normalize("NFC", name): name for name in source.files}

    def find(folder: str, name: str) -> str | None:
        exact = folder + name
        return exact if exact in source.files else by_form.get(unicodedata.normalize("NFC", exact))

    best: list[str | None] = [None] * len(table.ids)
    where = ""
    for folder in folders:
        files = [find(folder, name) for name in table.ids]
        if files.count(None) < best.count(None):
            best, where = files, folder
        if None not in best:
            break

    hint = _first_refused(source) if best.count(None) == len(best) else ""
    other_form = 0
    for line, name, file in zip(table.lines, table.ids, best, strict=True):
        if file is None:
            got = source.why_not(where + name) if source.holds(where + name) else "is in no folder beside the manifest"
            problems.append(
                f"{table.place}:{line}: image must exist, {shown(name)} {got}{hint}; add it or remove the row"
            )
        elif file != where + name:
            other_form += 1
    if other_form:
        name_theirs = "name their" if other_form > 1 else "names its"
        ids = counted(other_form, "id")
        notes.append(f"{table.place}: {ids} {name_theirs} file in another Unicode form (NFC, NFD).")
    places = [f"{table.place}:{line}: image {shown(name)}" for line, name in zip(table.lines, table.ids, strict=True)]
    found = [row for row, file in enumerate(best) if file is not None]
    every = Listing(table.place, table.ids, table.labels, tuple(file or "" for file in best), tuple(places))
    return every.take(found)


def check_ids(source: Source, listing: Listing, problems: list[str]) -> None:
    """For ids that are file names: those of a manifest are checked where it is read."""
    for name, file in zip(listing.ids, listing.files, strict=True):
        if rule := id_problem(name):
            problems.append(f"{source.path}/{printable(file)}: {rule}")


def _visible(source: Source) -> Iterator[str]:
    return (name for name in source.files if _is_visible(name))


def _is_visible(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _first_refused(source: Source) -> str:
    """A likely cause where nothing is found: the folder of the images is a link."""
    name = next(filter(_is_visible, source.refused), None)
    return "" if name is None else f" ({shown(name)} {source.refused[name]})"


def _roots(names: list[str]) -> list[str]:
    """The source itself, and the one folder on top where everything is in it."""
    tops = {name.partition("/")[0] for name in names}
    return ["", f"{tops.pop()}/"] if len(tops) == 1 and "/" in names[0] else [""]


def _from_manifests(source: Source, root: str, problems: list[str], notes: list[str]) -> Splits:
    tables: dict[str, Table] = {}
    broken = set()
    for split, stems in MANIFESTS.items():
        files = [f"{root}{stem}{suffix}" for stem in stems for suffix in (".txt", ".csv")]
        files = [file for file in files if source.holds(file)]
        if len(files) > 1:
            got = ", ".join(files)
            problems.append(f"{source.path}: there must be one manifest a split, got {got}; remove all but one")
        elif files:
            place = f"{source.path}/{files[0]}"
            if files[0] not in source.files:
                problems.append(f"{place}: manifest must be a file, it {source.why_not(files[0])}; replace it")
                continue
            try:
                table, found = parse_table(source.read(files[0]), place)
            except ValueError as error:
                problems.append(f"{place}: manifest {error}; fetch it again")
                continue
            problems.extend(found)
            if found:
                broken.add(split)
            if table is not None:
                tables[split] = table

    splits = {}
    parts = [name.split("/")[:-1] for name in source.files if name.startswith(root)]
    below = sorted({"/".join(part[:depth]) + "/" for part in parts for depth in range(1, len(part) + 1)})
    for split, table in tables.items():
        if split == "sample_submission":
            continue
        if split != "test" and table.labels is None:
            problems.append(f"{table.place}:1: header must be `id,label` for {split}, got `id`; add the labels")
            continue
        if split == "test" and table.labels is not None:
            notes.append(f"{table.place}: its labels are not used.")
        usual = [f"{root}{split}/"] if split == "test" else [f"{root}{split}/", f"{root}train+validation/"]
        splits[split] = list_table(source, table, [*usual, root, *below], problems, notes)

    submission, test = tables.get("sample_submission"), tables.get("test")
    if submission and test and submission.ids != test.ids and not broken & {"sample_submission", "test"}:
        pairs = enumerate(zip_longest(submission.ids, test.ids))
        row, (got, wanted) = next((row, pair) for row, pair in pairs if pair[0] != pair[1])
        line = (*submission.lines, submission.lines[-1] + 1)[row]
        rule = f"ids must be those of {test.place} in its order, got {_or_none(got)}, not {_or_none(wanted)}"
        problems.append(f"{submission.place}:{line}: {rule}; mend one of the two")
    return splits, submission.ids if submission else None


def _or_none(name: str | None) -> str:
    return "none" if name is None else shown(name)


def _from_class_folders(
    source: Source, root: str, names: list[str], problems: list[str], notes: list[str]
) -> dict[str, Listing]:
    splits = {}
    for split, folders in list(MANIFESTS.items())[:3]:
        refused = [
            name
            for name in source.refused
            if name.startswith(root) and name.removeprefix(root).split("/")[0] in folders
        ]
        for name in filter(_is_visible, refused):
            got = source.refused[name]
            problems.append(f"{source.path}/{printable(name)}: images must be files, this {got}; replace or remove it")
        there = [f"{root}{folder}/" for folder in folders]
        there = [folder for folder in there if any(name.startswith(folder) for name in names)]
        if len(there) > 1:
            got = ", ".join(there)
            problems.append(f"{source.path}: there must be one folder a split, got {got}; remove all but one")
        elif there:
            inside = [name for name in names if name.startswith(there[0])]
            images = [name for name in inside if name.lower().endswith(SUFFIXES)]
            if len(images) < len(inside):
                others = len(inside) - len(images)
                are_no_images = "is no image by its suffix" if others == 1 else "are no images by their suffix"
                notes.append(f"{there[0]}: {counted(others, 'file')} {are_no_images}: left out.")
            if not images and split != "train":
                continue
            listing = _unlabelled(source, images, there[0])
            check_ids(source, listing, problems)
            if split == "train":
                _check_empty(source, listing, there[0], problems)
            splits[split] = listing if split == "test" else _labelled(listing, problems)
    return splits


def _unlabelled(source: Source, files: Sequence[str], folder: str = "") -> Listing:
    ids = tuple(name.removeprefix(folder) for name in files)
    places = tuple(f"{source.path}/{printable(name)}: image" for name in files)
    return Listing(f"{source.path}/{folder}", ids, None, tuple(files), places)


def _labelled(listing: Listing, problems: list[str]) -> Listing:
    """With the first folder of each id as its class."""
    labels, rows = [], []
    for row, (name, place) in enumerate(zip(listing.ids, listing.places, strict=True)):
        label, slash, _ = name.partition("/")
        if not slash:
            problems.append(f"{place} must be in a folder named as its class, got {shown(name)}; move it into one")
        elif broken := label_problem(label):
            if not id_problem(name):
                problems.append(f"{place} must have a good label: {broken}")
        else:
            labels.append(label)
            rows.append(row)
    return replace(listing.take(rows), labels=tuple(labels))


def _check_empty(source: Source, train: Listing, folder: str, problems: list[str]) -> None:
    """A class must not vanish because its images are somewhere else."""
    inside = {name.removeprefix(folder) for name in source.folders if name.startswith(folder) and _is_visible(name)}
    for name in sorted(inside - {name.partition("/")[0] for name in train.ids}):
        if "/" not in name:
            rule = "class must have 2 images or more, got none with an image's suffix"
            problems.append(f"{train.place}{printable(name)}: {rule}; add some or remove the folder")
