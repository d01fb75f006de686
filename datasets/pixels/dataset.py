"""The classes of a data set: `Dataset`, its `Split`s, and the images that were `LeftOut`."""

from dataclasses import dataclass, replace

import numpy as np

from sweep.datasets.near_duplicates.summary import NearDuplicates
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.form import ARRAY
from sweep.datasets.pixels.rows import ChosenPixels, joined, take_rows
from sweep.datasets.submission import Submission


@dataclass(frozen=True)
class Split:
    """A split of a data set: some images of one kind, in the order of their table.

    Attributes:
      ids: N names, byte for byte as in the table.
      images: (N, 3, H, W) uint8, RGB: an array, or rows of a file.
      labels: (N,) int64 indices into the classes; None for the test split.
      digests: N hashes, the sha256 of each image's file.
      groups: for each image the name of the group that it belongs to (one patient, for example), or an empty string;
        an empty tuple if the data names no groups.
      folds: for each image the fold that the data itself puts it in, as it was written; an empty tuple if the data has
        no folds of its own.
      sets: for each image the name of its set of near duplicates, or an empty string; an empty tuple if there are no
        near duplicates.
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
        """The labels of a split that has them, which is every split but the test split."""
        assert self.labels is not None
        return self.labels

    def joined(self, other: "Split") -> "Split":
        """Returns a split with the images of this split, followed by those of the other.

        If the two share an id, every id gets `train/` or `validation/` before it.
        """
        if not len(other.ids):
            return self
        ids, other_ids = self.ids, other.ids
        if not set(ids).isdisjoint(other_ids):
            ids, other_ids = tuple(f"train/{name}" for name in ids), tuple(f"validation/{name}" for name in other_ids)
        return Split(
            ids=ids + other_ids,
            images=joined(self.images, other.images),
            labels=np.concatenate([self.truth, other.truth]),
            digests=self.digests + other.digests,
            groups=_concatenate(self.groups, other.groups, len(ids), len(other_ids)),
            folds=_concatenate(self.folds, other.folds, len(ids), len(other_ids)),
            sets=_concatenate(self.sets, other.sets, len(ids), len(other_ids)),
        )

    def empty(self) -> "Split":
        """Returns a split without images, of the same image size."""
        return Split((), take_rows(self.images, np.empty(0, np.int64)), np.empty(0, np.int64))

    def chosen(self, rows: np.ndarray) -> "Split":
        """Returns a split of these rows without their ids; no pixels are copied."""
        return Split((), ChosenPixels(self.images, rows), self.truth[rows])


def _concatenate(first: tuple[str, ...], second: tuple[str, ...], *counts: int) -> tuple[str, ...]:
    """Returns the names of both splits, one after the other; an empty tuple if neither split has any.

    If only one split has names, the images of the other get empty ones.
    """
    if not first and not second:
        return ()
    return (first or ("",) * counts[0]) + (second or ("",) * counts[1])


@dataclass(frozen=True)
class LeftOut:
    """An image of the data that is not used, and why.

    Attributes:
      split: `train` or `validation`, the split that it would be in; an image that is left out before the validation
        split is cut counts as train.
      id: the name of the image.
      label: the label as it was written.
      reason: the kind of fault, in a word or two.
      detail: which rule the image breaks, or which other image it contradicts.
    """

    split: str
    id: str
    label: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Dataset:
    """The images of all splits, and what is known about them.

    Attributes:
      train: the images that are trained on.
      valid: the images that trials are judged by; empty if there are none.
      test: the images to predict; None if the data has no test split.
      classes: the labels as they were written, sorted (as numbers if all are whole numbers).
      submission: the form in which predictions are handed in; None if no sample submission defines it.
      fingerprint: hash of images, labels and image size, see `datasets/fingerprint.py`.
      notes: what the user should know, a sentence each: a split that was cut, a missing test split.
      left_out: the images of the data that are not used because the user asked for that.
      folds: (N,) uint8 from 0, the fold in which each image is validated; `train` and `valid` are then the same split
        of all labelled images that are not in the test split. None without folds.
      of_fold: the number, from 1, of the fold that this data set was made for by `fold`; `train` and `valid` are then
        rows of the larger data set. None otherwise.
      near_duplicates: the near duplicates that were found across the splits, before any were left out; None in the data
        that workers are given.
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
        """The splits by name: `train`, `validation` if it is a split of its own, and `test` if there is one."""
        is_apart = self.folds is None and len(self.valid.images)
        splits = {"train": self.train} | ({"validation": self.valid} if is_apart else {})
        return splits | {"test": self.test} if self.test else splits

    @property
    def image_size(self) -> tuple[int, int]:
        """The height and width of every image, px."""
        height, width = self.train.images.shape[2:]
        return height, width

    @property
    def form(self) -> str:
        """The form in which the pixels are kept, one of `datasets.pixels.form.FORMS`."""
        return getattr(self.train.images, "form", ARRAY)

    @property
    def class_counts(self) -> np.ndarray:
        """(classes,) the number of training images of each class."""
        return np.bincount(self.train.truth, minlength=len(self.classes))

    def for_training(self) -> "Dataset":
        """Returns the part of the data set that a worker needs: no test split and no ids."""
        train, valid = (Split((), split.images, split.labels) for split in (self.train, self.valid))
        return replace(self, train=train, valid=valid, test=None, submission=None, near_duplicates=None)

    def fold(self, number: int) -> "Dataset":
        """Returns the data for one fold: `valid` holds the images of this fold, `train` those of all others.

        Args:
          number: the number of the fold, from 1.
        """
        assert self.folds is not None
        is_own = self.folds == number - 1
        train, valid = (self.train.chosen(np.flatnonzero(rows)) for rows in (~is_own, is_own))
        return replace(self, train=train, valid=valid, folds=None, of_fold=number)
