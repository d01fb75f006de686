"""A data set: what a worker is given to train on."""

from dataclasses import dataclass, replace

import numpy as np

from sweep.datasets.near_duplicates.found import NearDuplicates
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.form import ARRAY
from sweep.datasets.pixels.rows import ChosenPixels, joined, taken
from sweep.datasets.submission import Submission


@dataclass(frozen=True)
class Split:
    """Some images of one kind, in the order of their table.

    Attributes:
      ids: N names, byte for byte as the table has them.
      images: (N, 3, H, W) uint8, RGB: an array, or rows of a file.
      labels: (N,) int64 indices into the classes; None for the test split.
      digests: N sha256 of the files.
      groups: of each image what it belongs to with others, empty for nothing; no names at all where nothing says so.
      folds: of each image the fold that the data itself puts it in, as it was written; none where the data has none.
      sets: of each image the set of near duplicates that it is in, empty for none; no names where there is no set.
    """

    ids: tuple[str, ...]
    images: Pixels
    labels: np.ndarray | None
    digests: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()

    @property
    def truth(self) -> np.ndarray:
        """The labels of a split that has them: every one but the test split."""
        assert self.labels is not None
        return self.labels

    def joined(self, other: "Split") -> "Split":
        """Returns the images of both, this one's first; ids that both have get the name of their split before them."""
        if not len(other.ids):
            return self
        ids, theirs = self.ids, other.ids
        if not set(ids).isdisjoint(theirs):
            ids, theirs = tuple(f"train/{name}" for name in ids), tuple(f"validation/{name}" for name in theirs)
        return Split(
            ids=ids + theirs,
            images=joined(self.images, other.images),
            labels=np.concatenate([self.truth, other.truth]),
            digests=self.digests + other.digests,
            groups=_both(self.groups, other.groups, len(ids), len(theirs)),
            folds=_both(self.folds, other.folds, len(ids), len(theirs)),
            sets=_both(self.sets, other.sets, len(ids), len(theirs)),
        )

    def empty(self) -> "Split":
        """Returns a split of no images of this size."""
        return Split((), taken(self.images, np.empty(0, np.int64)), np.empty(0, np.int64))

    def chosen(self, rows: np.ndarray) -> "Split":
        """Returns these rows without names; their pixels stay where they are."""
        return Split((), ChosenPixels(self.images, rows), self.truth[rows])


def _both(first: tuple[str, ...], second: tuple[str, ...], *counts: int) -> tuple[str, ...]:
    """Returns the names of both, empty ones for images that have none, and none at all where neither has any."""
    if not first and not second:
        return ()
    return (first or ("",) * counts[0]) + (second or ("",) * counts[1])


@dataclass(frozen=True)
class LeftOut:
    """An image that is not used.

    Attributes:
      split: `train` or `validation`; of images that a validation split is cut from, the one it would be in.
      label: as it was written.
      detail: which rule it breaks, or what it contradicts.
    """

    split: str
    id: str
    label: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Dataset:
    """The images of all splits, and what is known of them.

    Attributes:
      classes: labels as they were written, sorted (as numbers where all are whole numbers).
      test: None where the data has no test split.
      submission: how predictions are handed in; None where no sample submission says it.
      fingerprint: of images, labels and image size, datasets/fingerprint.py.
      notes: what a person should know (a split that was cut, a missing test split), a sentence each.
      left_out: the images of the data that are not used, as a person asked for.
      folds: (N,) uint8 from 0: in which fold an image is validated; then both `train` and `valid` are all images that
        have a label and are not of the test split. None without folds.
      of_fold: which fold of another data set this is, from 1; `train` and `valid` are rows of that one. Else None.
      near_duplicates: what was found across the splits, before anything was left out for it; None of what a worker has.
    """

    train: Split
    valid: Split
    test: Split | None
    classes: tuple[str, ...]
    submission: Submission | None
    fingerprint: str
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    folds: np.ndarray | None = None
    of_fold: int | None = None
    near_duplicates: NearDuplicates | None = None

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name: `train`, `validation` where it is one of its own, and `test` where there is one."""
        is_apart = self.folds is None and len(self.valid.images)
        splits = {"train": self.train} | ({"validation": self.valid} if is_apart else {})
        return splits | {"test": self.test} if self.test else splits

    @property
    def image_size(self) -> tuple[int, int]:
        """The height and width of every image, in px."""
        height, width = self.train.images.shape[2:]
        return height, width

    @property
    def form(self) -> str:
        """In which form its pixels are kept, one of `datasets.pixels.form.FORMS`."""
        return getattr(self.train.images, "form", ARRAY)

    @property
    def class_counts(self) -> np.ndarray:
        """(classes,) how many training images each class has."""
        return np.bincount(self.train.truth, minlength=len(self.classes))

    def for_training(self) -> "Dataset":
        """Returns what a worker needs: no test split, no names."""
        train, valid = (Split((), split.images, split.labels) for split in (self.train, self.valid))
        return replace(self, train=train, valid=valid, test=None, submission=None, near_duplicates=None)

    def fold(self, number: int) -> "Dataset":
        """Returns what the net of a fold is trained on and judged by: the images of the others, and its own.

        Args:
          number: from 1.
        """
        assert self.folds is not None
        is_own = self.folds == number - 1
        train, valid = (self.train.chosen(np.flatnonzero(rows)) for rows in (~is_own, is_own))
        return replace(self, train=train, valid=valid, folds=None, of_fold=number)
