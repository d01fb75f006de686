"""The contract of the forms of submission: `Form`, and the classes by which a form is recognised."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

LABEL, PROBABILITY = "label", "probability"  # what the cells of a form hold

Cells = tuple[str, ...]  # the cells of one image in the columns that a form fills


@dataclass(frozen=True)
class SampleContent:
    """The content of a sample submission beside its ids.

    Attributes:
      names: the names of the columns to fill; empty texts if the sample has no header.
      values: the cells of each of these columns; empty if the sample has no rows.
      classes: the classes of train, in class order.
      numbers: the class that each number means, if a file of the data says so.
      positive: the class whose probability is handed in, if the user named it.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    numbers: Mapping[str, str] = field(default_factory=dict)
    positive: str | None = None

    def distinct(self) -> list[str]:
        """Returns the different non-empty cells of the first column, in the order in which they occur."""
        return [value for value in dict.fromkeys(self.values[0] if self.values else ()) if value]


@dataclass(frozen=True)
class Match:
    """A form that a sample fits.

    Attributes:
      form: the form.
      is_sure: such a sample cannot ask for any other form.
      is_likelier: among several forms that are not sure, this one is tried first.
    """

    form: "Form"
    is_sure: bool = True
    is_likelier: bool = False


@dataclass(frozen=True)
class Form(ABC):
    """A way to write the prediction for an image into the columns of a sample.

    Attributes:
      name: the name of the form in `submission.json`.
      holds: what its cells hold, LABEL or PROBABILITY.
    """

    name: ClassVar[str]
    holds: ClassVar[str]  # LABEL or PROBABILITY

    @staticmethod
    @abstractmethod
    def recognised(sample: SampleContent) -> Match | str:
        """Returns the form if the sample fits it.

        Otherwise it returns the reason, if the sample resembles this form, or an empty text.
        """

    @property
    def width(self) -> int:
        """The number of columns that the form fills."""
        return 1

    @abstractmethod
    def cells(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> list[Cells]:
        """Returns the cells of each image.

        Args:
          shares: (N, classes) probabilities.
          answers: (N,) numbers of the classes that are predicted.
          classes: the names of the classes.
        """

    @abstractmethod
    def problem(self, cells: Sequence[str], classes: Sequence[str]) -> str:
        """Returns what is wrong with the cells that were written for an image; an empty text if they are right."""

    @abstractmethod
    def sentence(self) -> str:
        """Returns a phrase for what the columns hold: `the label`."""
