"""A data set in memory: what a worker takes out of the object store."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Split:
    """Some images of one kind, in the order of their table.

    Attributes:
      ids: N names, byte for byte as the table has them.
      images: (N, 3, H, W) uint8, RGB.
      labels: (N,) int64 indices into the classes; None for the test split.
      digests: N sha256 of the files.
    """

    ids: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray | None
    digests: tuple[str, ...] = ()

    @property
    def truth(self) -> np.ndarray:
        """The labels of a split that has them: every one but the test split."""
        assert self.labels is not None
        return self.labels


@dataclass(frozen=True)
class Dataset:
    """The images of all splits, and what is known of them.

    Attributes:
      classes: labels as they were written, sorted (as numbers where all are whole numbers).
      test: None where the data has no test split.
      submission_ids: the ids of the sample submission in its order; None where there is none.
      fingerprint: of images, labels and image size, datasets/fingerprint.py.
      notes: what a person should know (a split that was cut, a missing test split), a sentence each.
    """

    train: Split
    valid: Split
    test: Split | None
    classes: tuple[str, ...]
    submission_ids: tuple[str, ...] | None
    fingerprint: str
    notes: tuple[str, ...]

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

    def for_training(self) -> "Dataset":
        """Returns what a worker needs: no test split, no names."""
        train, valid = (replace(split, ids=(), digests=()) for split in (self.train, self.valid))
        return replace(self, train=train, valid=valid, test=None, submission_ids=None)
