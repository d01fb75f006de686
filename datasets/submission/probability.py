"""The form with one probability per image, of the positive of two classes: `12.jpg,0.5` below `id,has_cactus`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.contract import PROBABILITY, Cells, Form, Match, SampleContent
from sweep.datasets.submission.numbers import number, written
from sweep.datasets.submission.positive import class_by_name, positive_class
from sweep.datasets.submission.spelling import words

# Names of columns that hold a probability rather than a label, used if the cells do not show it.
OF_SCORES = {"target", "probability", "probabilities", "prob", "proba", "score", "confidence", "likelihood", "risk"}


@dataclass(frozen=True)
class Probability(Form):
    """The probability of one of two classes.

    Attributes:
      of: the class.
      why: a clause on why it is this class and not the other; empty if that is obvious.
    """

    name: ClassVar[str] = "probability"
    holds: ClassVar[str] = PROBABILITY
    of: str
    why: str = ""

    @staticmethod
    def recognised(sample: SampleContent) -> Match | str:
        """Returns the form if the cells of the only column are numbers from 0 to 1 and there are two classes."""
        values = sample.distinct()
        numbers = [number(value) for value in values]
        if len(sample.names) != 1 or not all(value is not None and 0 <= value <= 1 for value in numbers):
            return ""
        are_whole = all(value.lstrip("+-").isdigit() for value in values)
        if len(sample.classes) != 2:
            return "" if are_whole else f"one number, such as {quoted(values[0])}, for {len(sample.classes)} classes"
        if are_whole and len(values) > 1:
            return ""  # these are labels: the sample shows both classes
        is_likelier = not are_whole or bool(sample.positive or OF_SCORES & set(words(sample.names[0])))
        are_numbers = all(number(label) is not None for label in sample.classes)
        if not is_likelier and not are_numbers and class_by_name(sample.names[0], sample.classes) is None:
            return ""  # a label that is a number, and nothing says which class it means
        positive, reason = (sample.positive, "") if sample.positive else positive_class(sample.names[0], sample.classes)
        is_zero_point = all(value in (0, 1) for value in numbers)
        return Match(Probability(positive, reason), not are_whole and not is_zero_point, is_likelier)

    def cells(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> list[Cells]:
        """Returns the probability of the class for each image."""
        return [(written(share),) for share in shares[:, list(classes).index(self.of)]]

    def problem(self, cells: Sequence[str], classes: Sequence[str]) -> str:
        """Returns what is wrong with a cell that is not a probability."""
        value = number(cells[0])
        if value is None or not 0 <= value <= 1:
            return f"{quoted(cells[0])}: a probability must be from 0 to 1"
        return ""

    def sentence(self) -> str:
        """Returns the phrase `the probability of cactus`."""
        return f"the probability of {quoted(self.of)}" + (f" ({self.why})" if self.why else "")
