"""Loads a data set: finds out its form, decodes and checks every image, and keeps the result in a cache."""

import os
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from sweep.datasets import decoders
from sweep.datasets.bad_images import LABELLED, BadImages, Fault, note_left_out, without_image
from sweep.datasets.checks import check_bytes, check_classes_left, check_files, check_labels, check_sizes, sizes_found
from sweep.datasets.decoders.recipe import STRETCH, Decoding
from sweep.datasets.file_tree import FileTree
from sweep.datasets.fingerprint import fingerprint
from sweep.datasets.folds import folded
from sweep.datasets.listing_rules import NEWEST
from sweep.datasets.near_duplicates.across import ACROSS, TO_TEST, count_across, look_for
from sweep.datasets.new_images import listed
from sweep.datasets.pixels import cache
from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.datasets.pixels.read import Read, ReadPlan, divided, first_size, note_warnings, read_images
from sweep.datasets.problems import DataError, Findings, Problem
from sweep.datasets.sources.finder import find_reading
from sweep.datasets.sources.listing import Listing
from sweep.datasets.splits import cut_and_limit
from sweep.datasets.training_size import note_size, training_size
from sweep.storage.sweep_file import BAD, NEAR_DUPLICATES, DataOptions

MIN_SIDE = 2  # px; an image of one pixel can be neither turned nor shifted
AS_IT_IS = DataOptions()
NEWEST_DECODING = Decoding(decoders.NEWEST)
MAX_SIDE = 4000  # px; a square image of this side has 16 million pixels


def load(
    path: Path,
    options: DataOptions = AS_IT_IS,
    seed: int = 0,
    listing: int = NEWEST,
    decoder: int = decoders.NEWEST,
    form: str | None = None,
) -> Dataset:
    """Reads and checks a whole data set, or takes it from the cache if nothing has changed since it was read.

    Args:
      path: a folder, an archive or another container, in any of the forms that `datasets/sources/` knows.
      options: how the data is to be read, as the flags of the command say.
      seed: decides which images become the validation split where the data has none, which images the limits keep, and
        the folds.
      listing: the number of the listing rules: which files count, and how they are named.
      decoder: the number of the decoding recipe: how files become pixels.
      form: the form in which a sweep has kept its pixels since it began, see `datasets.pixels.form`; None for a new
        sweep.

    Raises:
      DataError: the data cannot be used; the error lists all problems that were found.
    """
    image_size = options.image_size
    if image_size is not None and not MIN_SIDE <= image_size <= MAX_SIDE:
        rule = f"--image-size must be {MIN_SIDE} to {MAX_SIDE} px"
        raise DataError([Problem("", rule, str(image_size), "give another")])
    with FileTree(path, listing) as tree:
        reading = asdict(_by_content(options)) | {"folds": options.folds is not None}
        key = cache.key_of(tree, reading, seed, listing, decoder)
        if (data := cache.find(key, form)) is None:
            data = _read(tree, options, seed, decoder, form)
            cache.keep(key, data, tree)
    return folded(data, options.folds, seed) if options.folds else data


def _by_content(options: DataOptions) -> DataOptions:
    """Returns the options with the hash of the sample submission in place of its path.

    The options are a part of the cache's key, which must change with the content of that file and not with its place.
    """
    if options.submission is None or not os.path.isfile(options.submission):
        return options
    return replace(options, submission=sha256(Path(options.submission).read_bytes()).hexdigest())


def check_trainable(data: Dataset, path: Path) -> None:
    """Checks that the images are large enough for augmentation, which turns and shifts them.

    Raises:
      DataError: they are smaller than `MIN_SIDE`.
    """
    height, width = data.image_size
    if min(height, width) < MIN_SIDE:
        rule = f"images must be at least {MIN_SIDE}x{MIN_SIDE} px"
        raise DataError([Problem(str(path), rule, f"{width}x{height} px", "give --image-size to enlarge them")])


def _read(tree: FileTree, options: DataOptions, seed: int, decoder: int, form: str | None) -> Dataset:
    """Reads a data set that is not in the cache: lists, decodes and checks it, and cuts the validation split."""
    side = options.image_size
    findings = Findings(notes=list(tree.notes))
    reading = find_reading(tree, options, findings)
    listings = reading.listings
    left_out = without_image(findings)
    if options.min_per_class and "train" in listings:
        small = BadImages(listings, findings, leave_out=True)
        small.add_small_classes(options.min_per_class, ["train"])
        left_out += small.left_out()
        listings, _ = small.without_them({})
    classes = check_labels(listings, findings, options.min_per_class)
    check_files(listings, findings)
    is_cut = "validation" not in listings or options.folds is not None  # a random part of train judges
    if "test" not in listings:
        findings.notes.append("No test split: no prediction file will be written.")
    limits = options.limit_train, options.limit_valid
    keeps_together = "validation" not in listings and not options.folds and options.leaves_out(NEAR_DUPLICATES)
    if not findings.problems and not keeps_together:
        listings = cut_and_limit(listings, *limits, seed, findings, is_cut=options.folds is None)
    recipe, fit = decoders.recipe(decoder), options.fit or STRETCH
    size = (side, side) if side else training_size(tree, listings, recipe)
    first = size or first_size(tree, listings, recipe)
    plan = ReadPlan(decoder, recipe, first, size is not None, fit, options.cache_limit, form)
    reads = read_images(tree, listings, plan)
    near_files, kept_together = None, 0
    if keeps_together and not findings.problems and (size or not sizes_found(reads.values())):
        near_files = look_for(listings, reads)  # before the cut, which must keep near duplicates together
        uncut = listings["train"]
        listings["train"], kept_together = near_files.grouped(uncut)
        listings = cut_and_limit(listings, *limits, seed, findings)
        reads = divided(reads, uncut, listings)
    bad = BadImages(listings, findings, options.leaves_out(BAD))
    for split, read in reads.items():
        for row, problem in read.problems.items():
            bad.add(split, row, Fault.TOO_LARGE if row in read.too_large else Fault.UNREADABLE, problem)
    note_warnings(reads.values(), findings)
    if size is None:
        check_sizes(reads, listings, findings)
    elif sizes := sizes_found(reads.values()):
        findings.notes.append(f"Images of several sizes: {sizes}.")
    if size and not side:
        note_size(size, reads.values(), findings)
    check_bytes(listings, reads, is_cut, bad)
    findings.raise_problems()
    near_files = near_files or look_for(listings, reads)
    split_pairs = ACROSS if options.folds is None else TO_TEST
    near_duplicates = count_across(near_files, bad, reads, split_pairs, options.leaves_out(NEAR_DUPLICATES))
    near_duplicates = replace(near_duplicates, kept_together=kept_together)
    findings.notes.extend(near_duplicates.notes(is_cut and options.folds is None))
    if options.min_per_class:
        bad.add_small_classes(options.min_per_class, ["train", "validation"] if is_cut else ["train"])
    findings.raise_problems()
    left_out += bad.left_out()
    note_left_out(left_out, findings)
    listings, reads = bad.without_them(reads)
    classes = check_classes_left(classes, listings, is_cut, options.min_per_class, findings)
    findings.raise_problems()

    index = {label: number for number, label in enumerate(classes)}
    sets = near_files.sets(file for split in LABELLED if split in listings for file in listings[split].files)
    splits = {split: _split(listing, reads[split], index, sets) for split, listing in listings.items()}
    data = Dataset(
        train=splits["train"],
        valid=splits.get("validation") or splits["train"].empty(),
        test=splits.get("test"),
        classes=classes,
        submission=reading.submission,
        fingerprint="",
        notes=tuple(findings.notes),
        left_out=left_out,
        near_duplicates=near_duplicates,
    )
    return replace(data, fingerprint=fingerprint(data, size[0] if size else None, fit))


def load_images(
    path: Path,
    size: tuple[int, int],
    notes: list[str] | None = None,
    decoding: Decoding = NEWEST_DECODING,
    id_column: str | None = None,
) -> Split:
    """Reads new images, which have no labels, and resizes them to (H, W) px.

    Args:
      path: an image; or a folder, an archive or another container, of which every image is read (its id is its relative
        name, and the ids are sorted); or a table beside its images (with the ids and the order of the table, whose
        labels are not used).
      size: height and width, px.
      notes: a list to which sentences for the user are appended.
      decoding: how files become pixels; it must be that of the sweep whose model will predict these images.
      id_column: the column of a table that names the images; None to infer it.

    Raises:
      DataError: an image is missing or bad (the error lists all of them), or the path holds no image.
    """
    findings = Findings(notes=[] if notes is None else notes)
    with listed(path, id_column, findings) as (tree, listing):
        plan = ReadPlan(decoding.number, decoders.recipe(decoding.number), size, resizes=True, fit=decoding.fit)
        read = read_images(tree, {"": listing}, plan)[""]
    findings.problems.extend(read.problems.values())
    note_warnings([read], findings)
    if not listing.ids and not findings.problems:
        findings.refuse(str(path), "there must be an image", "none", " ".join(["check the path.", *findings.notes]))
    findings.raise_problems()
    return Split(listing.ids, read.images, None, read.digests)


def _split(listing: Listing, read: Read, index: dict[str, int], sets: dict[str, str]) -> Split:
    """Returns the split of a listing and its pixels.

    Args:
      listing: the names of the images, with their labels, groups and folds.
      read: their pixels.
      index: the number of each class.
      sets: the name of the set of near duplicates that a file is in; files in no set are absent.
    """
    labels = None if listing.labels is None else np.array([index[label] for label in listing.labels], np.int64)
    set_names = tuple(sets.get(file, "") for file in listing.files) if sets else ()
    return Split(listing.ids, read.images, labels, read.digests, listing.groups or (), listing.folds or (), set_names)
