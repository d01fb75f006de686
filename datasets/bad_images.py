"""Images that cannot be used: all are reported before a sweep starts, and `--leave-out bad` leaves them out.

An image of the test split is never left out: either it gets a prediction, or the data is refused.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from sweep.datasets.pixels.dataset import LeftOut
from sweep.datasets.pixels.read import Read
from sweep.datasets.problems import Findings, Problem
from sweep.datasets.sources.listing import Listing
from sweep.storage.text import counted

LABELLED = ("train", "validation")  # the splits from which images may be left out
ADVICE = "--leave-out bad goes on without such images of train and validation, and names each in left-out.csv."
HEADER = ["split", "id", "label", "reason", "detail"]


class Fault(StrEnum):
    """The reason why an image cannot be used, as it is written in `left-out.csv`."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too large"
    DOUBLED = "doubled within its label"
    CONTRADICTORY = "doubled under another label"
    LEAK = "doubled in another split"
    NEAR = "near duplicate in another split"
    SMALL_CLASS = "its class is too small"


@dataclass
class BadImages:
    """The bad images of a data set, which are collected here as they are found.

    Attributes:
      listings: the images by split.
      findings: takes the problems of images that are not left out.
      leave_out: True leaves bad images out; False makes each of them a problem.
    """

    listings: dict[str, Listing]
    findings: Findings
    leave_out: bool
    _faults: dict[tuple[str, int], tuple[Fault, str]] = field(default_factory=dict)

    def add(self, split: str, row: int, fault: Fault, problem: Problem) -> None:
        """Records a bad image by its split and row.

        With `leave_out` it is left out, if it is of train or validation and the fault is the data's and not this
        machine's. Otherwise its problem is added to the findings.
        """
        if self.leave_out and split in LABELLED and not problem.is_of_machine:
            self._faults.setdefault((split, row), (fault, _detail(problem)))
        else:
            self.findings.problems.append(problem)
            if split in LABELLED and not problem.is_of_machine:
                self.findings.advice.append(ADVICE)

    def add_small_classes(self, least: int, counted_in: Sequence[str]) -> None:
        """Leaves out all images of each class that has fewer than `least` usable images.

        Args:
          least: the smallest number of images that a class may have.
          counted_in: the splits whose images count.
        """
        labelled = [split for split in LABELLED if split in self.listings and self.listings[split].labels is not None]
        places = [(split, row) for split in labelled for row in self._rows(split).tolist()]
        labels = {(split, row): self._label(split, row) for split, row in places}
        counts = Counter(label for (split, _), label in labels.items() if split in counted_in)
        for place, label in labels.items():
            if counts[label] < least:
                self._faults[place] = (
                    Fault.SMALL_CLASS,
                    f"{counts[label]} can be used, --min-per-class asks for {least}",
                )

    def leave_out_near(self, split: str, row: int, detail: str) -> None:
        """Leaves out an image that is a near duplicate of one in another split."""
        self._faults.setdefault((split, row), (Fault.NEAR, detail))

    def leaves_out(self, split: str, row: int) -> bool:
        """Returns whether an image is left out."""
        return (split, row) in self._faults

    def left_out(self) -> tuple[LeftOut, ...]:
        """Returns the images that are left out, in the order of their splits and rows."""
        return tuple(
            LeftOut(split, self.listings[split].ids[row], self._label(split, row), fault, detail)
            for (split, row), (fault, detail) in sorted(self._faults.items())
        )

    def without_them(self, reads: dict[str, Read]) -> tuple[dict[str, Listing], dict[str, Read]]:
        """Returns the listings and their read images without the images that are left out."""
        listings, reads = dict(self.listings), dict(reads)
        for split in {split for split, _ in self._faults}:
            rows = self._rows(split)
            listings[split] = listings[split].take(rows)
            if split in reads:
                reads[split] = reads[split].take(rows)
        return listings, reads

    def _label(self, split: str, row: int) -> str:
        """Returns the label of a row."""
        return (self.listings[split].labels or ())[row]

    def _rows(self, split: str) -> np.ndarray:
        """Returns the rows of a split that are not left out."""
        rows = range(len(self.listings[split].ids)) if split in self.listings else ()
        return np.array([row for row in rows if (split, row) not in self._faults], np.int64)


def without_image(findings: Findings) -> tuple[LeftOut, ...]:
    """Returns the rows of tables that are left out because their image does not exist."""
    rows = findings.without_image
    return tuple(LeftOut(split, name, label, Fault.MISSING, _detail(problem)) for split, name, label, problem in rows)


def _detail(problem: Problem) -> str:
    """Returns the text of a problem without its way out."""
    return f"{problem.place}: {problem.rule}" + (f", got {problem.got}" if problem.got else "")


def note_left_out(images: Sequence[LeftOut], findings: Findings) -> None:
    """Adds a note that says how many images are left out, by reason."""
    if images:
        reasons = Counter(image.reason for image in images).most_common()
        parts = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
        findings.notes.append(f"Left out: {counted(len(images), 'image')} ({parts}); left-out.csv names each.")


def left_out_table(images: Iterable[LeftOut]) -> bytes:
    """Returns a CSV with a row for each image that was left out."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([image.split, image.id, image.label, image.reason, image.detail] for image in images)
    return text.getvalue().encode()
