"""Divides the labelled images into folds, so that each image is judged once, by nets that were not trained on it.

Images that belong together, such as those of one patient or near duplicates, stay in one fold, because a net that has
seen some of them knows the others. Each fold gets its share of every class: exact to one image if no images belong
together, otherwise as nearly as the groups allow.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.datasets.problems import DataError, Problem, shown
from sweep.storage.text import counted

NUMBER = re.compile(r"\d+(\.0)?")  # how a table may write the number of a fold
FEW = 3  # how many classes a note names


def folded(data: Dataset, count: int, seed: int) -> Dataset:
    """Returns the data with its train and validation images joined and divided into `count` folds.

    If the data is already divided, it is divided anew. Folds that the data itself defines are used as they are.
    Otherwise the division depends only on the labels, on which images belong together, and on the seed.

    Raises:
      DataError: the data has too few images or groups, or defines another number of folds itself.
    """
    data = undivided(data)
    labelled = data.train.joined(data.valid)
    if any(labelled.folds):
        folds, notes = _own_folds(labelled, count)
    else:
        names = [each for each in (labelled.groups, labelled.digests, labelled.sets) if each]
        unit_ids = units(*names) if names else np.arange(len(labelled.truth))
        folds, notes = divided(labelled.truth, unit_ids, count, seed), []
        notes.append(_note(folds, count, seed, labelled.groups, labelled.sets))
    if len(data.valid.truth):
        images = counted(len(data.valid.truth), "validation image")
        notes.insert(
            0, f"The data's {images} are joined with its train images, and all of them are divided into folds."
        )
    notes += _class_notes(labelled.truth, folds, count, data.classes)
    return replace(
        data,
        train=labelled,
        valid=labelled,
        folds=folds,
        fingerprint=with_folds(data.fingerprint, folds),
        notes=(*data.notes, *notes),
    )


def undivided(data: Dataset) -> Dataset:
    """Returns the data without its folds: all labelled images are one train split."""
    if data.folds is None:
        return data
    return replace(data, valid=data.train.empty(), folds=None, fingerprint=of_images(data.fingerprint))


def divided(labels: np.ndarray, unit_ids: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Returns the fold of each image, (N,) uint8 from 0.

    If no two images belong together, the images of each class are dealt out in turn, so that two folds differ by at
    most one image, both in each class and in all. Otherwise whole groups are assigned, the largest first, each to the
    fold that has the least of its classes (by the sum of squared shares, as scikit-learn's `StratifiedGroupKFold`
    does).

    Args:
      labels: (N,) class indices.
      unit_ids: (N,) numbers, the same for images that must stay in one fold.
      count: number of folds.
      seed: decides the division.

    Raises:
      DataError: there are fewer groups than folds.
    """
    rng = np.random.default_rng([seed, 2])
    _, unit, sizes = np.unique(unit_ids, return_inverse=True, return_counts=True)
    if len(sizes) < count:
        noun = "groups of images that belong together" if len(sizes) < len(labels) else "images"
        rule = f"--folds must be at most the number of {noun}, {len(sizes)}"
        raise DataError([Problem("", rule, str(count), "give a smaller number")])
    shuffled = rng.permutation(len(labels))
    folds = np.empty(len(labels), np.uint8)
    if len(sizes) == len(labels):
        folds[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels)) % count
        return folds
    members = np.split(np.argsort(unit, kind="stable"), np.cumsum(sizes)[:-1])
    random_order = rng.permutation(len(members))  # so that the names of the groups do not matter
    order = sorted(random_order.tolist(), key=lambda number: (-len(members[number]), labels[members[number][0]]))
    totals = np.bincount(labels)
    class_counts, images = np.zeros((count, len(totals))), np.zeros(count, np.int64)
    for rows in (members[number] for number in order):
        kinds, counts = np.unique(labels[rows], return_counts=True)
        cost = (class_counts[:, kinds] * (counts / totals[kinds] ** 2)).sum(axis=1)
        fold = np.lexsort((images, cost.round(12)))[0]
        folds[rows] = fold
        class_counts[fold, kinds] += counts
        images[fold] += len(rows)
    return folds


def units(*names: Sequence[str]) -> np.ndarray:
    """Returns (N,) numbers, the same for images that are linked by a shared name, directly or through other images.

    Args:
      names: several sequences of N names, each for one respect in which images may belong together. Images with the
        same name belong together; an empty name links to nothing, and an empty sequence is ignored.
    """
    count = max(map(len, names))
    parent = list(range(count))

    def root(image: int) -> int:
        while parent[image] != image:
            parent[image] = image = parent[parent[image]]
        return image

    for image_names in filter(None, names):
        first: dict[str, int] = {}
        for image, name in enumerate(image_names):
            if name:
                parent[root(image)] = root(first.setdefault(name, image))
    return np.array([root(image) for image in range(count)], np.int64)


def with_folds(fingerprint: str, folds: np.ndarray) -> str:
    """Returns the fingerprint of data in folds: that of the images, a dash, and a hash of the folds."""
    return f"{fingerprint}-{hashlib.sha256(folds.tobytes()).hexdigest()[:16]}"


def of_images(fingerprint: str) -> str:
    """Returns the part of a fingerprint that describes the images alone, without folds."""
    return fingerprint.partition("-")[0]


def are_folds(values: Collection[str]) -> bool:
    """Returns whether the values of a column can be the numbers of folds."""
    return len(set(values)) > 1 and all(NUMBER.fullmatch(value) for value in set(values))


def _own_folds(labelled: Split, count: int) -> tuple[np.ndarray, list[str]]:
    """Returns the folds that the data itself defines, and notes about them.

    Raises:
      DataError: an image has no fold, or the number of folds is not `count`.
    """
    if missing := [name for name, fold in zip(labelled.ids, labelled.folds, strict=True) if not fold]:
        rule, got = "each labelled image must have a fold where the data has folds", f"none for {shown(missing[0])}"
        raise DataError([Problem("", rule, got, "write it into the table")])
    values = sorted(set(labelled.folds), key=float)
    if len(values) != count:
        rule = f"--folds must be the number of folds that the data has, {len(values)}"
        raise DataError([Problem("", rule, str(count), f"give --folds {len(values)}")])
    folds = np.array([values.index(fold) for fold in labelled.folds], np.uint8)
    sizes = np.bincount(folds, minlength=count)
    notes = [f"The data's own {count} folds are used, of {_range(sizes)} images each."]
    if labelled.groups:
        folds_of: dict[str, set[int]] = {}
        for group, fold in zip(labelled.groups, folds.tolist(), strict=True):
            folds_of.setdefault(group, set()).add(fold)
        if split_groups := sorted(group for group, group_folds in folds_of.items() if group and len(group_folds) > 1):
            notes.append(
                f"{counted(len(split_groups), 'group')} in more than one of them, first {shown(split_groups[0])}."
            )
    return folds, notes


def _note(folds: np.ndarray, count: int, seed: int, groups: Sequence[str], sets: Sequence[str]) -> str:
    """Returns the sentence that says how the images were divided."""
    sizes = np.bincount(folds, minlength=count)
    kinds = ((groups, "group", "groups"), (sets, "set of near duplicates", "sets of near duplicates"))
    phrases = [counted(len(set(names) - {""}), *nouns) for names, *nouns in kinds if names]
    ending = f", {' and '.join(phrases)} each in one of them" if phrases else ""
    return f"{len(folds):,} labelled images are divided into {count} folds of {_range(sizes)} (seed {seed}){ending}."


def _range(sizes: np.ndarray) -> str:
    """Returns the smallest and the largest size for people: `20 to 21`, or `20` if they are equal."""
    smallest, largest = int(sizes.min()), int(sizes.max())
    return f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"


def _class_notes(labels: np.ndarray, folds: np.ndarray, count: int, classes: tuple[str, ...]) -> Iterator[str]:
    """Yields sentences about classes that are missing in a fold, or that are all in one fold."""
    class_counts = np.bincount(labels * count + folds, minlength=len(classes) * count).reshape(len(classes), count)
    totals = class_counts.sum(axis=1)
    if small := [number for number in range(len(classes)) if 0 < totals[number] < count]:
        names = ", ".join(f"{shown(classes[number])} ({totals[number]})" for number in small[:FEW])
        rest = f" and {len(small) - FEW} more" if len(small) > FEW else ""
        yield f"Fewer images than folds in {names}{rest}: some folds have none of them to judge by."
    if in_one_fold := [number for number in range(len(classes)) if class_counts[number].max() == totals[number] > 0]:
        names = ", ".join(shown(classes[number]) for number in in_one_fold[:FEW])
        rest = f" and {len(in_one_fold) - FEW} more" if len(in_one_fold) > FEW else ""
        yield f"All images of {names}{rest} are in one fold, and the nets that are judged by it never saw one."
