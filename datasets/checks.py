"""Checks that need more than one file: each appends its problems, so that all are told at once."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from datasets.layout import Listing
from datasets.manifest import DataError, shown, sort_classes
from datasets.read import Read

MAX_CLASSES = 256  # predicted classes are kept as uint8


def check_labels(path: Path, listings: dict[str, Listing], problems: list[str]) -> tuple[str, ...]:
    """The classes: those of train."""
    if "train" not in listings:  # its manifest is broken: said already
        return ()
    try:
        classes = sort_classes(listings["train"].labels or ())
    except DataError as error:
        problems.extend(error.problems)
        return ()
    counts = Counter(listings["train"].labels or ())
    if not 2 <= len(classes) <= MAX_CLASSES:
        problems.append(f"{path}: train must have 2 to {MAX_CLASSES} classes, got {len(classes)}; check its labels")
    for label in classes:
        if counts[label] < 2:
            problems.append(f"{path}: each class must have 2 images in train, {shown(label)} has 1; add one or drop it")
    if valid := listings.get("validation"):
        for label, place in zip(valid.labels or (), valid.places, strict=True):
            if label not in counts:
                allowed = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
                problems.append(f"{place} must have a label of train ({allowed}), got {shown(label)}; mend one of them")
    return classes


def check_files(listings: dict[str, Listing], problems: list[str]) -> None:
    first: dict[str, str] = {}
    for listing in listings.values():
        for file, place in zip(listing.files, listing.places, strict=True):
            if first.setdefault(file, place) != place:
                problems.append(f"{place} must be used once, it stands in {first[file]} too; remove one of them")


def sizes_found(reads: Iterable[Read]) -> str | None:
    """The sizes of the images as a list with counts; None where all have the same."""
    sizes = sum((read.sizes for read in reads), Counter[tuple[int, int]]())
    most = [f"{count:,} of {width}x{height} px" for (height, width), count in sizes.most_common(8)]
    return ", ".join(most + (["..."] if len(sizes) > 8 else [])) if len(sizes) > 1 else None


def same_bytes(listings: dict[str, Listing], reads: dict[str, Read]) -> list[str]:
    """A sentence a pair of splits that share files: a leak."""
    notes = []
    train = dict(zip(reads["train"].digests, listings["train"].ids, strict=True))
    for split in ("train", "validation", "test"):
        if split not in listings:
            continue
        ids = listings[split].ids
        pairs = [(name, train[d]) for name, d in zip(ids, reads[split].digests, strict=True) if d in train]
        if pairs := [pair for pair in pairs if split != "train" or pair[0] != pair[1]]:
            name, other = map(shown, pairs[0])
            notes.append(f"Same bytes as another image in train: {len(pairs)} of {split}, first {name} as {other}.")
    return notes
