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
    def recognised(shown: SampleContent) -> Match | str:
        """Returns the form if each class has its column and the cells are numbers; otherwise what is missing."""
        if len(shown.names) < 2:
            return ""
        columns = f"{counted(len(shown.names), 'column')} an image ({', '.join(map(quoted, shown.names[:3]))}, ...)"
        found = matched(shown.names, shown.classes, shown.numbers)
        if found is None:
            there = matched_some(shown.names, shown.classes)
            lacking = next((label for label in shown.classes if label not in there), "") if there else ""
            return (
                f"{columns}, of which none is of the class {quoted(lacking)}"
                if lacking
                else (f"{columns}, and nothing says which class has which of them")
            )
        if any(value and number(value) is None for values in shown.values for value in values):
            return f"{columns}, which hold no numbers"
        by_name = {name: label for label, name in found.items()}
        return Match(ProbabilityColumns([by_name.get(name, "") for name in shown.names]))

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.of)

    def cells(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> list[Cells]:
        """Returns the probabilities of each image in the order of the columns."""
        whole = np.concatenate([shares, np.zeros((len(shares), 1))], axis=1)
        at = {label: number for number, label in enumerate(classes)}
        return [tuple(map(written, row)) for row in whole[:, [at.get(label, len(classes)) for label in self.of]]]

    def problem(self, cells: Sequence[str], classes: Sequence[str]) -> str:
        """Returns what is wrong with a row: a cell that is not a probability, or a sum that is not 1."""
        values = [number(cell) for cell in cells]
        if wrong := [cell for cell, value in zip(cells, values, strict=True) if value is None or not 0 <= value <= 1]:
            return f"{quoted(wrong[0])}: a probability must be from 0 to 1"
        total = sum(value or 0 for value in values)
        return "" if abs(total - 1) <= TOLERANCE else f"{total:.9g}: the probabilities of an image must add up to 1"

    def sentence(self) -> str:
        """Returns the phrase `a probability for each of the 3 classes`."""
        without = self.of.count("")
        more = f", and 0 in {counted(without, 'column')} that no class has" if without else ""
        return f"a probability for each of the {counted(len(self.of) - without, 'class', 'classes')}{more}"


def matched_some(names: Sequence[str], classes: Sequence[str]) -> set[str]:
    """Returns the classes that have a column, if not all have one."""
    return {label for label in classes if matched(names, [label], {})}
