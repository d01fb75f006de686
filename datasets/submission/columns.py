"""The form with a column for each class, which holds its probability: `img,c0,c1,c2`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.contract import PROBABILITY, Cells, Form, Match, SampleContent
from sweep.datasets.submission.numbers import number, written
from sweep.datasets.submission.spelling import matched
from sweep.storage.text import counted

TOLERANCE = 1e-6  # by which the sum of a row may differ from 1


@dataclass(frozen=True)
class ProbabilityColumns(Form):
    """The probability of each class, in a column of its own.

    Attributes:
      of: the class of each column; an empty text for a column without a class, which is filled with 0.
    """

    name: ClassVar[str] = "columns"
    holds: ClassVar[str] = PROBABILITY
    of: list[str]

    @staticmethod
    def recognised(sample: SampleContent) -> Match | str:
        """Returns the form if each class has its column and the cells are numbers; otherwise says what is missing."""
        if len(sample.names) < 2:
            return ""
        columns = f"{counted(len(sample.names), 'column')} an image ({', '.join(map(quoted, sample.names[:3]))}, ...)"
        column_names = matched(sample.names, sample.classes, sample.numbers)
        if column_names is None:
            known_classes = matched_some(sample.names, sample.classes)
            missing_class = (
                next((label for label in sample.classes if label not in known_classes), "") if known_classes else ""
            )
            return (
                f"{columns}, of which none is of the class {quoted(missing_class)}"
                if missing_class
                else (f"{columns}, and nothing says which class has which of them")
            )
        if any(value and number(value) is None for values in sample.values for value in values):
            return f"{columns}, which hold no numbers"
        by_name = {name: label for label, name in column_names.items()}
        return Match(ProbabilityColumns([by_name.get(name, "") for name in sample.names]))

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.of)

    def cells(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> list[Cells]:
        """Returns the probabilities of each image in the order of the columns."""
        padded = np.concatenate([shares, np.zeros((len(shares), 1))], axis=1)
        index = {label: number for number, label in enumerate(classes)}
        return [tuple(map(written, row)) for row in padded[:, [index.get(label, len(classes)) for label in self.of]]]

    def problem(self, cells: Sequence[str], classes: Sequence[str]) -> str:
        """Returns what is wrong with the cells written for an image: a value or their sum; empty if they are right."""
        values = [number(cell) for cell in cells]
        if wrong := [cell for cell, value in zip(cells, values, strict=True) if value is None or not 0 <= value <= 1]:
            return f"{quoted(wrong[0])}: a probability must be from 0 to 1"
        total = sum(value or 0 for value in values)
        return "" if abs(total - 1) <= TOLERANCE else f"{total:.9g}: the probabilities of an image must add up to 1"

    def sentence(self) -> str:
        """Returns the phrase `a probability for each of the 3 classes`."""
        empty_columns = self.of.count("")
        ending = f", and 0 in {counted(empty_columns, 'column')} that no class has" if empty_columns else ""
        return f"a probability for each of the {counted(len(self.of) - empty_columns, 'class', 'classes')}{ending}"


def matched_some(names: Sequence[str], classes: Sequence[str]) -> set[str]:
    """Returns the classes that have a column, if not all have one."""
    return {label for label in classes if matched(names, [label], {})}
