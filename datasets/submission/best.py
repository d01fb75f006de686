"""The form with the most probable labels in one column, the best first: `new_whale w_1287fbc w_98baff9`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from sweep.datasets.labels import WITH_BOXES
from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.contract import LABEL, Cells, Form, Match, SampleContent
from sweep.datasets.submission.label import WHOLE, writing

SEPARATORS = (", ", "; ", " | ", "|", ";", ",", " ", "\t", "/", "+")
NAMES = {" ": "a space", "\t": "a tab"}


@dataclass(frozen=True)
class Best(Form):
    """The most probable labels of an image, joined in one cell.

    Attributes:
      count: number of labels; if there are fewer classes, all of them.
      separator: the text between two labels.
      written: how the sample writes each class; classes that are not in it are written as they are.
    """

    name: ClassVar[str] = "best"
    holds: ClassVar[str] = LABEL
    count: int
    separator: str
    written: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def recognised(sample: SampleContent) -> Match | str:
        """Returns the form if each cell of the only column is a list of different labels."""
        values = sample.distinct()
        if len(sample.names) != 1 or not values or all(value in sample.classes for value in values):
            return ""
        if all(WITH_BOXES.fullmatch(value) for value in values):
            return ""
        for separator in SEPARATORS:
            parts = [value.split(separator) for value in values]
            if any(len(part) < 2 or not all(map(str.strip, part)) for part in parts):
                continue
            if any(separator in label for label in sample.classes):
                continue
            labels = list(dict.fromkeys(label for part in parts for label in part))
            spelling = _spelling(labels, sample)
            if spelling is not None and all(len(set(part)) == len(part) for part in parts):
                return Match(Best(max(map(len, parts)), separator, spelling))
        return ""

    def cells(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> list[Cells]:
        """Returns the `count` most probable labels of each image."""
        labels = np.array([self.written.get(label, label) for label in classes], object)
        order = np.argsort(-shares, axis=1, kind="stable")[:, : self.count]
        return [(self.separator.join(row),) for row in labels[order]]

    def problem(self, cells: Sequence[str], classes: Sequence[str]) -> str:
        """Returns what is wrong with a cell: an unknown label, or a wrong number of them."""
        labels = {self.written.get(label, label) for label in classes}
        parts = cells[0].split(self.separator)
        if wrong := [part for part in parts if part not in labels]:
            return f"{quoted(wrong[0])}: labels must be classes of the sweep"
        count = min(self.count, len(classes))
        is_whole = len(parts) == len(set(parts)) == count
        return "" if is_whole else f"{quoted(cells[0])}: there must be {count} different labels"

    def sentence(self) -> str:
        """Returns the phrase `the 5 best labels, joined by a space`."""
        return f"the {self.count} best labels, joined by {NAMES.get(self.separator) or quoted(self.separator)}"


def _spelling(labels: Sequence[str], sample: SampleContent) -> dict[str, str] | None:
    """Returns how classes are written in lists of labels; None if the cells are not lists of labels.

    Some of the labels may be unknown in train.
    """
    if set(labels) & set(sample.classes):
        are_numbers = all(WHOLE.fullmatch(label) for label in sample.classes)
        return {} if not are_numbers or all(WHOLE.fullmatch(label) for label in labels) else None
    return writing(labels, sample)
