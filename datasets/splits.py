"""Which images are trained on and which judge: a validation split cut from train, and fewer images of a split."""

import numpy as np

from datasets.problems import Findings
from datasets.sources.listing import Listing

CUT = 0.15  # of train, where the data has no validation split


def stratified(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns `count` sorted row numbers with each label's share kept, and each label there where `count` allows.

    With generators in the same state, a larger count only adds rows.
    """
    shuffled = rng.permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        rows = shuffled[labels[shuffled] == label]
        rank[rows] = np.arange(len(rows)) / len(rows)
    return np.sort(shuffled[np.argsort(rank[shuffled], kind="stable")[:count]])


def cut_and_limit(
    listings: dict[str, Listing],
    limit_train: int | None,
    limit_valid: int | None,
    seed: int,
    findings: Findings,
) -> dict[str, Listing]:
    """Returns the listings with a validation split, which is cut from train where there is none, and their limits kept.

    Args:
      limit_train, limit_valid: images that are kept of the split; None keeps all.
    """
    listings = dict(listings)
    train = listings["train"]
    classes = len(set(train.labels or ()))
    if "validation" not in listings:
        labels = np.array(train.labels)
        rows = stratified(labels, max(round(CUT * len(labels)), classes), np.random.default_rng([seed, 0]))
        listings["train"] = train.take(np.setdiff1d(np.arange(len(labels)), rows))
        listings["validation"] = train.take(rows)
        set_aside = f"{len(rows)} of {len(labels)} train images were set aside (seed {seed})"
        findings.notes.append(f"No validation split: {set_aside}.")
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
