"""What a form of submission is: `Form`, which a file beside this one is for each, and what it is recognised by."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

LABEL, PROBABILITY = "label", "probability"  # what a form holds of an image

Cells = tuple[str, ...]  # of one image, in the columns that a form fills


@dataclass(frozen=True)
class Shown:
    """What a sample shows beside its ids.

    Attributes:
      names: of the columns that are to be filled; empty texts where the sample has no header.
      values: the cells of each of these columns, by column; none where the sample has no rows.
      classes: of train, in class order.
      numbers: the class that each number means, where a file of the data says it.
      positive: the class whose probability is handed in, where a person named it.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    numbers: Mapping[str, str] = field(default_factory=dict)
    positive: str | None = None

    def distinct(self) -> list[str]:
        """Returns the different cells of the first column that are not empty, in the order in which they come."""
        return [value for value in dict.fromkeys(self.values[0] if self.values else ()) if value]


@dataclass(frozen=True)
class Found:
    """A form that a sample fits.

    Attributes:
      is_sure: no other form is asked for by such a sample.
      is_likelier: of several forms that are not sure this one is the first guess.
    """

    form: "Form"
    is_sure: bool = True
    is_likelier: bool = False


@dataclass(frozen=True)
class Form(ABC):
    """How what is predicted of an image is written into the columns of a sample."""

    name: ClassVar[str]
    holds: ClassVar[str]  # LABEL or PROBABILITY

    @staticmethod
    @abstractmethod
    def recognised(shown: Shown) -> Found | str:
        """Returns the form if the sample fits it; else why not, where it looks like it, or an empty text."""

    @property
    def width(self) -> int:
        """How many columns the form fills."""
        return 1

    @abstractmethod
    def cells(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> list[Cells]:
        """Returns the cells of each image.

        Args:
          shares: (N, classes) probabilities.
          answers: (N,) numbers of classes.
        """

    @abstractmethod
    def problem(self, cells: Sequence[str], classes: Sequence[str]) -> str:
        """Says what is wrong with the cells of an image that were written; empty where they are right."""

    @abstractmethod
    def sentence(self) -> str:
        """Says what stands in the columns: a phrase, `the label`."""
