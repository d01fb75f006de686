"""Checks that need more than one file: each appends its problems, so that all are told at once."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain

from datasets.manifest import meaning, shown, sort_classes
from datasets.pixels.read import Read
from datasets.sources.listing import Listing

MAX_CLASSES = 256  # predicted classes are kept as uint8


def check_labels(listings: dict[str, Listing], problems: list[str], notes: list[str]) -> tuple[str, ...]:
    """Returns the classes, which are those of train; notes those that validation lacks."""
    train = listings.get("train")
    if train is None:  # its manifest is broken: said already
        return ()
    labels = train.labels or ()
    classes, counts = sort_classes(labels), Counter(labels)
    first: dict[str, str] = {}
    for label, place in zip(labels, train.places, strict=True):
        first.setdefault(label, place)
    written: dict[float | str, str] = {}
    for label, place in first.items():
        one = written.setdefault(meaning(label), label)
        if one != label:
            rule = f"must have its label written in one way, got {shown(label)}, elsewhere {shown(one)}"
            problems.append(f"{place} {rule}; write both the same")
    if any(problem.startswith(train.place) for problem in problems):
        return classes  # what is missing, or counted under two names, would break the rules below by itself

    if not 2 <= len(classes) <= MAX_CLASSES:
        got = f"{len(classes)} ({_some(classes)})" if classes else "0"
        problems.append(f"{train.place}: train must have 2 to {MAX_CLASSES} classes, got {got}; check its labels")
    for label, place in first.items():
        if counts[label] < 2:
            got = f"label {shown(label)} once in train"
            problems.append(f"{place} must not be alone in its class, got {got}; add another or remove it")
    if classes and (valid := listings.get("validation")):
        for label, place in zip(valid.labels or (), valid.places, strict=True):
            if label not in counts:
                rule = f"must have a label of train ({_some(classes)})"
                problems.append(f"{place} {rule}, got {shown(label)}{_as_in(written, label)}; mend one of them")
        if absent := sort_classes(set(classes) - set(valid.labels or ())):
            rule = "how often they are told right is not measured, and balanced accuracy leaves them out"
            notes.append(f"No image in validation of {_some(absent)}: {rule}.")
    return classes


def _as_in(written: dict[float | str, str], label: str) -> str:
    """Says where train has the same label, written in another way: two Unicode forms look the same."""
    other = written.get(meaning(label))
    return f" (which train writes {other!a}, and this {label!a})" if other else ""


def _some(classes: tuple[str, ...]) -> str:
    return ", ".join(map(shown, classes[:10])) + (", ..." if len(classes) > 10 else "")


def check_files(listings: dict[str, Listing], problems: list[str]) -> None:
    first: dict[str, str] = {}
    for listing in listings.values():
        for file, place in zip(listing.files, listing.places, strict=True):
            if first.setdefault(file, place) != place:
                problems.append(f"{place} must be used once, got the file of {first[file]} again; remove one of them")


def check_sizes(reads: dict[str, Read], listings: dict[str, Listing], problems: list[str]) -> None:
    """All images must have the size that most have."""
    sizes = list(chain.from_iterable(read.sizes for read in reads.values()))
    places = chain.from_iterable(listings[split].places for split in reads)
    if found := sizes_found(reads.values()):
        usual = Counter(filter(None, sizes)).most_common(1)[0][0]
        odd = next(place for size, place in zip(sizes, places, strict=True) if size not in (None, usual))
        problems.append(f"{odd} must have the size of the others, got {found}; give --image-size to resize them all")


def sizes_found(reads: Iterable[Read]) -> str | None:
    """The sizes of the images as a list with counts; None where all have the same."""
    sizes = Counter(size for read in reads for size in read.sizes if size)
    most = [f"{count:,} of {width}x{height} px" for (height, width), count in sizes.most_common(8)]
    return ", ".join(most + (["..."] if len(sizes) > 8 else [])) if len(sizes) > 1 else None


def check_bytes(
    listings: dict[str, Listing], reads: dict[str, Read], is_cut: bool, problems: list[str], notes: list[str]
) -> None:
    """One file under two names: a conflict with two labels, a leak in both train and validation, else a note.

    Args:
      is_cut: validation is a part of train, by chance: what stands in both is no fault of the data.
    """
    first: dict[str, tuple[str, Listing, int]] = {}  # split and row of each digest
    again: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for split in ("train", "validation", "test"):
        for row, digest in enumerate(reads[split].digests if split in reads else ()):
            listing = listings[split]
            other_split, other, other_row = first.setdefault(digest, (split, listing, row))
            if not digest or other.files[other_row] == listing.files[row]:  # not read, or itself
                continue
            place, same = listing.places[row], f"the bytes of {other.places[other_row]}"
            label = listing.labels[row] if listing.labels else None
            other_label = other.labels[other_row] if other.labels else None
            if split == "validation" and other_split == "train" and not is_cut:
                problems.append(f"{place} must not be in train too (a leak), got {same}; remove one of them")
            elif label is not None and other_label is not None and label != other_label:
                got = f"{shown(label)}, but {shown(other_label)} for {same}"
                problems.append(f"{place} must have one label, got {got}; keep one of them")
            else:
                again.setdefault((split, other_split), []).append((listing.ids[row], other.ids[other_row]))
    for (split, other_split), pairs in again.items():
        name, same = map(shown, pairs[0])
        notes.append(f"Same bytes as another image in {other_split}: {len(pairs)} of {split}, first {name} as {same}.")
