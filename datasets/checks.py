"""Checks that involve more than one file; each adds all of its problems, so that the user sees them at once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from sweep.datasets.bad_images import BadImages, Fault
from sweep.datasets.labels import meaning, sort_classes
from sweep.datasets.pixels.read import Read
from sweep.datasets.problems import Findings, shown
from sweep.datasets.sources.label_values import BAR
from sweep.datasets.sources.listing import Listing
from sweep.storage.text import counted

MAX_CLASSES = 10_000
SIZES_LISTED = 4  # how many sizes of images a message lists, the most common first
MOST_ALONE = 4  # how many classes with a single image get a problem each; more are summed up in one


def check_labels(listings: dict[str, Listing], findings: Findings, least: int | None = None) -> tuple[str, ...]:
    """Checks the labels of train and validation; returns the classes, which are the labels of train.

    Args:
      listings: the images by split.
      findings: takes the problems, and a note on classes that validation lacks.
      least: the number of images below which classes were left out; None if none were.
    """
    train = listings.get("train")
    if train is None:  # its table is broken, which is a problem already
        return ()
    labels = train.labels or ()
    classes, counts = sort_classes(labels), Counter(labels)
    first: dict[str, int] = {}
    for row, label in enumerate(labels):
        first.setdefault(label, row)
    spellings: dict[float | str, str] = {}
    for label, row in first.items():
        spelling = spellings.setdefault(meaning(label), label)
        if spelling != label:
            rule, got = "must have its label written in one way", f"{shown(label)}, elsewhere {shown(spelling)}"
            findings.problems.append(train.problem(row, rule, got, "write both the same"))
    if any(problem.place.startswith(train.place) for problem in findings.problems):
        return classes  # missing rows, or a class under two names, would break the rules below as well

    if not 2 <= len(classes) <= MAX_CLASSES:
        got = f"{len(classes)} ({_first_ten(classes)})" if classes else "0"
        of_size = f" of {least} images or more" if least else ""
        way_out = "give a smaller --min-per-class" if least else "check its labels"
        findings.refuse(train.place, f"train must have 2 to {MAX_CLASSES:,} classes{of_size}", got, way_out)
    if multiword := [label for label in classes if BAR in label.strip(BAR)]:
        count = f"{len(multiword):,} of {counted(len(classes), 'class', 'classes')}"
        findings.notes.append(f"{count} are several words, such as {shown(multiword[0])}: each is a class of its own.")
    singles = [label for label in first if counts[label] < 2]
    if len(singles) > MOST_ALONE:
        examples = ", ".join(map(shown, singles[:3]))
        got = f"{len(singles):,} of {counted(len(first), 'class', 'classes')} with one ({examples}, ...)"
        check = "check that these are labels, or " if len(singles) > len(first) / 2 else ""
        way_out = f"{check}give --min-per-class 2 to leave classes of one image out"
        findings.refuse(train.place, "each class must have 2 images or more", got, way_out)
    for label, row in first.items():
        if counts[label] < 2 and len(singles) <= MOST_ALONE:
            rule, got = "must not be alone in its class", f"label {shown(label)} once in train"
            way_out = "add another, or give --min-per-class 2 to leave such classes out"
            findings.problems.append(train.problem(row, rule, got, way_out))
    if classes and (valid := listings.get("validation")):
        for row, label in enumerate(valid.labels or ()):
            if label not in counts:
                rule, got = (
                    f"must have a label of train ({_first_ten(classes)})",
                    shown(label) + _as_in(spellings, label),
                )
                problem = valid.problem(row, rule, got, "mend one of them")
                findings.problems.append(replace(problem, cause=f"label {label}"))
        if absent_classes := sort_classes(set(classes) - set(valid.labels or ())):
            rule = "how often they are told right is not measured, and balanced accuracy leaves them out"
            findings.notes.append(f"No image in validation of {_first_ten(absent_classes)}: {rule}.")
    return classes


def _as_in(spellings: dict[float | str, str], label: str) -> str:
    """Returns a phrase on how train writes the same label, if it does so differently.

    Both are escaped, because two Unicode forms of one text look the same.
    """
    other = spellings.get(meaning(label))
    return f" (which train writes {other!a}, and this {label!a})" if other else ""


def _first_ten(classes: tuple[str, ...]) -> str:
    """Returns the first ten classes for a message."""
    return ", ".join(map(shown, classes[:10])) + (", ..." if len(classes) > 10 else "")


def check_files(listings: dict[str, Listing], findings: Findings) -> None:
    """Checks that no file is listed as two images."""
    first: dict[str, tuple[Listing, int]] = {}
    for listing in listings.values():
        for row, file in enumerate(listing.files):
            other, other_row = first.setdefault(file, (listing, row))
            if other is not listing or other_row != row:
                got = f"the file of {other.named(other_row)} again"
                findings.problems.append(listing.problem(row, "must be used once", got, "remove one of them"))


def check_sizes(reads: dict[str, Read], listings: dict[str, Listing], findings: Findings) -> None:
    """Checks that all images have the same size; the problem names one that differs from most."""
    if got := sizes_found(reads.values()):
        usual_size = Counter(size for read in reads.values() for size in read.sizes if size).most_common(1)[0][0]
        entries = ((split, row, size) for split, read in reads.items() for row, size in enumerate(read.sizes))
        split, row = next((split, row) for split, row, size in entries if size not in (None, usual_size))
        rule, way_out = "must have the size of the others", "give --image-size to resize them all"
        findings.problems.append(listings[split].problem(row, rule, got, way_out))


def sizes_found(reads: Iterable[Read]) -> str | None:
    """Returns the sizes of the images with their counts as text; None if all have the same size."""
    sizes = Counter(size for read in reads for size in read.sizes if size)
    parts = [f"{count:,} of {width}x{height} px" for (height, width), count in sizes.most_common(SIZES_LISTED)]
    others = f" and {counted(unlisted, 'other size')}" if (unlisted := len(sizes) - SIZES_LISTED) > 0 else ""
    return ", ".join(parts) + others if len(sizes) > 1 else None


def check_bytes(listings: dict[str, Listing], reads: dict[str, Read], is_cut: bool, bad: BadImages) -> None:
    """Finds images with equal bytes, and records each such pair as a fault or in a note.

    Such a pair is a contradiction if the labels differ, and a leak if one image is in train and the other in
    validation; other pairs give a note. If bad images are left out, one image of several equal ones stays; none stays
    if their labels differ; and train keeps none that another split has.

    Args:
      listings: the images by split.
      reads: the results of reading them, by split.
      is_cut: validation is a random part of train, so that equal images in both are not a leak in the data.
      bad: takes the images that cannot be used.
    """
    first: dict[str, tuple[str, Listing, int]] = {}  # the image in which each digest came first
    repeats: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for split in ("train", "validation", "test"):
        for row, digest in enumerate(reads[split].digests if split in reads else ()):
            listing = listings[split]
            other_split, other, other_row = first.setdefault(digest, (split, listing, row))
            # the image could not be read, or is the same file
            if not digest or other.files[other_row] == listing.files[row]:
                continue
            other_bytes, own_bytes = (
                f"the bytes of {one.named(one_row)}" for one, one_row in ((other, other_row), (listing, row))
            )
            label = listing.labels[row] if listing.labels else None
            other_label = other.labels[other_row] if other.labels else None
            is_other = label is not None and other_label is not None and label != other_label
            if split == "validation" and other_split == "train" and not is_cut:
                problem = listing.problem(row, "must not be in train too (a leak)", other_bytes, "remove one of them")
                bad.add(other_split, other_row, Fault.LEAK, problem)
            elif split != "test" and is_other:
                got = f"{shown(label or '')}, but {shown(other_label or '')} for {other_bytes}"
                problem = listing.problem(row, "must have one label", got, "keep one of them")
                bad.add(split, row, Fault.CONTRADICTORY, problem)
                if bad.leave_out:
                    bad.add(other_split, other_row, Fault.CONTRADICTORY, problem)
            elif bad.leave_out and split != "test":
                bad.add(split, row, Fault.DOUBLED, listing.problem(row, "must be there once", other_bytes, ""))
            elif bad.leave_out and other_split == "train":
                problem = other.problem(other_row, "must not be in test too (a leak)", own_bytes, "")
                bad.add(other_split, other_row, Fault.LEAK, problem)
            else:
                repeats.setdefault((split, other_split), []).append((listing.ids[row], other.ids[other_row]))
    for (split, other_split), pairs in repeats.items():
        name, other_name = map(shown, pairs[0])
        count = f"{len(pairs)} of {split}, first {name} as {other_name}"
        bad.findings.notes.append(f"Same bytes as another image in {other_split}: {count}.")


def check_classes_left(
    classes: tuple[str, ...], listings: dict[str, Listing], is_cut: bool, least: int | None, findings: Findings
) -> tuple[str, ...]:
    """Checks that each class still has two images after bad ones were left out; returns the classes that are left.

    Args:
      classes: the classes before images were left out.
      listings: the images that are left, by split.
      is_cut: validation is a part of train, so that its images count as well.
      least: the number of images below which classes were left out; None if none were.
      findings: takes the problems.
    """
    train, valid = listings["train"], listings.get("validation")
    counts = Counter([*(train.labels or ()), *((valid.labels or ()) if valid and is_cut else ())])
    classes_left = tuple(label for label in classes if counts[label] or least is None)
    if singles := [label for label in classes_left if counts[label] < 2]:
        rule, got = f"class {shown(singles[0])} must have 2 images that can be used", str(counts[singles[0]])
        findings.refuse(train.place, rule, got, "mend its images, or give --min-per-class 2 to leave it out")
    elif len(classes_left) < 2:
        rule, way_out = f"2 classes must have {least} images or more", "give a smaller --min-per-class"
        findings.refuse(train.place, rule, str(len(classes_left)), way_out)
    return classes_left
