"""Cuts a validation split from the train images, and limits the number of images in a split."""

import numpy as np

from sweep.datasets.problems import Findings, shown
from sweep.datasets.sources.listing import Listing
from sweep.storage.text import counted

CUT = 0.15  # the share of train that becomes the validation split if the data has none


def stratified(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns `count` sorted row numbers, chosen at random so that each label keeps its share.

    Every label is present if `count` allows it. With the same state of the generator, a larger count only adds rows.

    Args:
      labels: (N,) labels.
      count: how many rows to choose.
      rng: source of the choice.
    """
    shuffled = rng.permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        rows = shuffled[labels[shuffled] == label]
        rank[rows] = np.arange(len(rows)) / len(rows)
    return np.sort(shuffled[np.argsort(rank[shuffled], kind="stable")[:count]])


def grouped(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns sorted row numbers of whole groups, which together come as near as possible to `CUT` of each label.

    A group that holds the last remaining images of a label is never taken. The result is empty if every group does so.

    Args:
      labels: (N,) numbers from 0.
      groups: (N,) numbers from 0.
      rng: source of the order in which groups are considered.
    """
    remaining = np.bincount(labels)
    targets = CUT * remaining
    chosen, rows = np.zeros(len(remaining)), []
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    for number in rng.permutation(len(members)):
        kinds, counts = np.unique(labels[members[number]], return_counts=True)
        scale = np.maximum(targets[kinds], 1)
        old_error = (chosen[kinds] - targets[kinds]) ** 2 / scale
        new_error = (chosen[kinds] + counts - targets[kinds]) ** 2 / scale
        if new_error.sum() < old_error.sum() and (remaining[kinds] > counts).all():
            chosen[kinds] += counts
            remaining[kinds] -= counts
            rows.append(members[number])
    return np.sort(np.concatenate(rows)) if rows else np.empty(0, np.int64)


def _cut(train: Listing, seed: int, findings: Findings) -> np.ndarray:
    """Returns the rows of train that become the validation split, and adds a note that says how it was cut."""
    labels, rng = np.array(train.labels), np.random.default_rng([seed, 0])
    group_note = ""
    rows = np.empty(0, np.int64)
    if train.groups is not None:
        # An image without a group is a group of its own.
        names = np.array([group or f"\0{row}" for row, group in enumerate(train.groups)])
        groups = np.unique(names, return_inverse=True)[1]
        rows = grouped(np.unique(labels, return_inverse=True)[1], groups, rng)
        count, total = len(np.unique(groups[rows])), len(np.unique(groups))
        group_note = f", {count:,} of {counted(total, 'group')}, each whole"
        if not len(rows):
            group_note = ", across groups, for no group can be spared by its labels"
            rng = np.random.default_rng([seed, 0])
    if not len(rows):
        rows = stratified(labels, max(round(CUT * len(labels)), len(set(train.labels or ()))), rng)
    set_aside = f"{len(rows)} of {len(labels)} train images were set aside (seed {seed}){group_note}"
    findings.notes.append(f"No validation split: {set_aside}.")
    return rows


def _note_shared_groups(listings: dict[str, Listing], findings: Findings) -> None:
    """Adds a note if train and validation share groups."""
    train, valid = listings["train"].groups, listings["validation"].groups
    if train is not None and valid is not None and (shared_groups := (set(train) & set(valid)) - {""}):
        findings.notes.append(
            f"{counted(len(shared_groups), 'group')} of train in validation too, first {shown(min(shared_groups))}."
        )


def cut_and_limit(
    listings: dict[str, Listing],
    limit_train: int | None,
    limit_valid: int | None,
    seed: int,
    findings: Findings,
    is_cut: bool = True,
) -> dict[str, Listing]:
    """Returns the listings with a validation split and with their limits applied.

    Args:
      listings: by split.
      limit_train: number of train images to keep; None keeps all.
      limit_valid: number of validation images to keep; None keeps all.
      seed: decides which images are chosen.
      findings: takes a note for each choice, and problems with the limits.
      is_cut: True cuts a validation split from train if the data has none.
    """
    listings = dict(listings)
    train = listings["train"]
    classes = len(set(train.labels or ()))
    if "validation" not in listings and is_cut:
        rows = _cut(train, seed, findings)
        listings["train"] = train.take(np.setdiff1d(np.arange(len(train.ids)), rows))
        listings["validation"] = train.take(rows)
    elif "validation" in listings and is_cut:
        _note_shared_groups(listings, findings)
    if "validation" not in listings and limit_valid is not None:
        rule = "--limit-valid is of a validation split, and --folds needs none"
        findings.refuse("", rule, str(limit_valid), "give --limit-train")
        limit_valid = None
    for split, limit in (("train", limit_train), ("validation", limit_valid)):
        if limit is not None and limit < classes:
            flag = "--limit-train" if split == "train" else "--limit-valid"
            findings.refuse("", f"{flag} must be at least the number of classes, {classes}", str(limit), "raise it")
        elif limit is not None and limit < len(listings[split].ids):
            count = len(listings[split].ids)
            findings.notes.append(f"Only {limit} of {count} {split} images are used (seed {seed}).")
            rows = stratified(np.array(listings[split].labels), limit, np.random.default_rng([seed, 1]))
            listings[split] = listings[split].take(rows)
    return listings
