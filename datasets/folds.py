"""Folds: the labelled images divided into parts, so that each is judged once, by nets that were trained without it.

Images that belong together, such as those of one patient and near duplicates, stay in one fold, for a net that has seen
some of them knows the others. Each fold gets its share of every class: exactly to one image where no images belong
together, else as nearly as their groups allow.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.datasets.problems import DataError, Problem, shown
from sweep.storage.text import counted

NUMBER = re.compile(r"\d+(\.0)?")  # of a fold, in the data's own column
FEW = 3  # classes that a note names


def folded(data: Dataset, count: int, seed: int) -> Dataset:
    """Returns the data with its train and validation images as one, divided into so many folds.

    Data that is divided already is divided anew. Folds that the data has of its own are taken as they are. Else the
    division depends on the labels, on what belongs together and on the seed alone.

    Raises:
      DataError: the data has too few images or groups, or another number of folds of its own.
    """
    data = undivided(data)
    whole = data.train.joined(data.valid)
    if any(whole.folds):
        folds, notes = _own_folds(whole, count)
    else:
        names = [each for each in (whole.groups, whole.digests, whole.sets) if each]
        together = units(*names) if names else np.arange(len(whole.truth))
        folds, notes = divided(whole.truth, together, count, seed), []
        notes.append(_note(folds, count, seed, whole.groups, whole.sets))
    if len(data.valid.truth):
        images = counted(len(data.valid.truth), "validation image")
        notes.insert(
            0, f"The data's {images} are joined with its train images, and all of them are divided into folds."
        )
    notes += _class_notes(whole.truth, folds, count, data.classes)
    return replace(
        data,
        train=whole,
        valid=whole,
        folds=folds,
        fingerprint=with_folds(data.fingerprint, folds),
        notes=(*data.notes, *notes),
    )


def undivided(data: Dataset) -> Dataset:
    """Returns data in folds as it is without them: with one train split of all labelled images."""
    if data.folds is None:
        return data
    return replace(data, valid=data.train.empty(), folds=None, fingerprint=of_images(data.fingerprint))


def divided(labels: np.ndarray, together: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Returns the fold of each image, (N,) uint8 from 0.

    Where no two images belong together, the images of each class are dealt out, so that no two folds differ by more
    than one image, of a class or of all. Else whole groups are given out, the largest first, each to the fold that has
    least of its classes (as scikit-learn's `StratifiedGroupKFold` does, by the sum of squared shares).

    Args:
      labels: (N,) class indices.
      together: (N,) numbers, the same for images that must stay in one fold.

    Raises:
      DataError: there are fewer groups than folds.
    """
    rng = np.random.default_rng([seed, 2])
    _, unit, sizes = np.unique(together, return_inverse=True, return_counts=True)
    if len(sizes) < count:
        what = "groups of images that belong together" if len(sizes) < len(labels) else "images"
        rule = f"--folds must be at most the number of {what}, {len(sizes)}"
        raise DataError([Problem("", rule, str(count), "give a smaller number")])
    shuffled = rng.permutation(len(labels))
    folds = np.empty(len(labels), np.uint8)
    if len(sizes) == len(labels):
        folds[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels)) % count
        return folds
    members = np.split(np.argsort(unit, kind="stable"), np.cumsum(sizes)[:-1])
    by_chance = rng.permutation(len(members))  # whatever the groups are called
    order = sorted(by_chance.tolist(), key=lambda number: (-len(members[number]), labels[members[number][0]]))
    totals = np.bincount(labels)
    there, images = np.zeros((count, len(totals))), np.zeros(count, np.int64)
    for rows in (members[number] for number in order):
        kinds, counts = np.unique(labels[rows], return_counts=True)
        cost = (there[:, kinds] * (counts / totals[kinds] ** 2)).sum(axis=1)
        fold = np.lexsort((images, cost.round(12)))[0]
        folds[rows] = fold
        there[fold, kinds] += counts
        images[fold] += len(rows)
    return folds


def units(*names: Sequence[str]) -> np.ndarray:
    """Returns (N,) numbers, the same for images which are linked by names that they share, directly or by others.

    Args:
      names: of each image what it belongs to, in one respect after the other; an empty name is shared by none, and an
        empty sequence says nothing of any image.
    """
    count = max(map(len, names))
    parent = list(range(count))

    def root(image: int) -> int:
        while parent[image] != image:
            parent[image] = image = parent[parent[image]]
        return image

    for of_images in filter(None, names):
        first: dict[str, int] = {}
        for image, name in enumerate(of_images):
            if name:
                parent[root(image)] = root(first.setdefault(name, image))
    return np.array([root(image) for image in range(count)], np.int64)


def with_folds(fingerprint: str, folds: np.ndarray) -> str:
    """Returns the fingerprint of images in folds: that of the images, and behind it one of the folds."""
    return f"{fingerprint}-{hashlib.sha256(folds.tobytes()).hexdigest()[:16]}"


def of_images(fingerprint: str) -> str:
    """Returns the part of a fingerprint that is of the images alone."""
    return fingerprint.partition("-")[0]


def are_folds(values: Collection[str]) -> bool:
    """Says whether the values of a column can be numbers of folds."""
    return len(set(values)) > 1 and all(NUMBER.fullmatch(value) for value in set(values))


def _own_folds(whole: Split, count: int) -> tuple[np.ndarray, list[str]]:
    """Returns the folds as the data has them, and notes.

    Raises:
      DataError: an image has none, or they are not as many as were asked for.
    """
    if missing := [name for name, fold in zip(whole.ids, whole.folds, strict=True) if not fold]:
        rule, got = "each labelled image must have a fold where the data has folds", f"none for {shown(missing[0])}"
        raise DataError([Problem("", rule, got, "write it into the table")])
    values = sorted(set(whole.folds), key=float)
    if len(values) != count:
        rule = f"--folds must be the number of folds that the data has, {len(values)}"
        raise DataError([Problem("", rule, str(count), f"give --folds {len(values)}")])
    folds = np.array([values.index(fold) for fold in whole.folds], np.uint8)
    sizes = np.bincount(folds, minlength=count)
    notes = [f"The data's own {count} folds are used, of {_range(sizes)} images each."]
    if whole.groups:
        of_group: dict[str, set[int]] = {}
        for group, fold in zip(whole.groups, folds.tolist(), strict=True):
            of_group.setdefault(group, set()).add(fold)
        if shared := sorted(group for group, its in of_group.items() if group and len(its) > 1):
            notes.append(f"{counted(len(shared), 'group')} in more than one of them, first {shown(shared[0])}.")
    return folds, notes


def _note(folds: np.ndarray, count: int, seed: int, groups: Sequence[str], sets: Sequence[str]) -> str:
    sizes = np.bincount(folds, minlength=count)
    kinds = ((groups, "group", "groups"), (sets, "set of near duplicates", "sets of near duplicates"))
    together = [counted(len(set(names) - {""}), *nouns) for names, *nouns in kinds if names]
    whole = f", {' and '.join(together)} each in one of them" if together else ""
    return f"{len(folds):,} labelled images are divided into {count} folds of {_range(sizes)} (seed {seed}){whole}."


def _range(sizes: np.ndarray) -> str:
    least, most = int(sizes.min()), int(sizes.max())
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _class_notes(labels: np.ndarray, folds: np.ndarray, count: int, classes: tuple[str, ...]) -> Iterator[str]:
    """Yields what the folds can say less of than of others: classes that a fold lacks on one of its two sides."""
    there = np.bincount(labels * count + folds, minlength=len(classes) * count).reshape(len(classes), count)
    totals = there.sum(axis=1)
    if small := [number for number in range(len(classes)) if 0 < totals[number] < count]:
        few = ", ".join(f"{shown(classes[number])} ({totals[number]})" for number in small[:FEW])
        more = f" and {len(small) - FEW} more" if len(small) > FEW else ""
        yield f"Fewer images than folds in {few}{more}: some folds have none of them to judge by."
    if alone := [number for number in range(len(classes)) if there[number].max() == totals[number] > 0]:
        few = ", ".join(shown(classes[number]) for number in alone[:FEW])
        more = f" and {len(alone) - FEW} more" if len(alone) > FEW else ""
        yield f"All images of {few}{more} are in one fold, and the nets that are judged by it never saw one."
