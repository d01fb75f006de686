"""A data set: what a worker is given to train on."""

from dataclasses import dataclass, replace

import numpy as np

from datasets.pixels import Pixels
from datasets.pixels.form import ARRAY
from datasets.submission import Submission


@dataclass(frozen=True)
class Split:
    """Some images of one kind, in the order of their table.

    Attributes:
      ids: N names, byte for byte as the table has them.
      images: (N, 3, H, W) uint8, RGB: an array, or rows of a file.
      labels: (N,) int64 indices into the classes; None for the test split.
      digests: N sha256 of the files.
    """

    ids: tuple[str, ...]
    images: Pixels
    labels: np.ndarray | None
    digests: tuple[str, ...] = ()

    @property
    def truth(self) -> np.ndarray:
        """The labels of a split that has them: every one but the test split."""
        assert self.labels is not None
        return self.labels


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
    """

    train: Split
    valid: Split
    test: Split | None
    classes: tuple[str, ...]
    submission: Submission | None
    fingerprint: str
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name: `train`, `validation` and, where there is one, `test`."""
        splits = {"train": self.train, "validation": self.valid}
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

    def for_training(self) -> "Dataset":
        """Returns what a worker needs: no test split, no names."""
        train, valid = (replace(split, ids=(), digests=()) for split in (self.train, self.valid))
        return replace(self, train=train, valid=valid, test=None, submission=None)
