"""The parts of a section of the report: sentences, figures and a table below one heading."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.analysis.report.charts import Figure


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
      text: the text that people read, not yet escaped.
      value: the value by which the column is sorted; None to sort by the text, empty to stay at the end.
    """

    text: str
    value: float | str | None = None


@dataclass(frozen=True)
class PartTable:
    """A table.

    Attributes:
      heads: the head of each column.
      are_numbers: for each column, whether it holds numbers.
      rows: the rows, with a cell for each column.
      marked: the numbers of the rows, from 0, that are highlighted.
    """

    heads: Sequence[str]
    are_numbers: Sequence[bool]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Part:
    """A part of a section.

    Attributes:
      title: the heading; empty for none.
      sentences: the paragraphs.
      figures: the figures, beside each other if there is room.
      table: the table; None for none.
    """

    title: str
    sentences: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    table: PartTable | None = None


def share(value: float | None) -> Cell:
    """Returns a cell with a share in percent, or a dash if there is none."""
    return Cell("-", "") if value is None else Cell(f"{100 * value:z.1f} %", value)


def interval(low: float, high: float) -> Cell:
    """Returns a cell with an interval of a share in percent, which is sorted by its lower end."""
    return Cell(f"{100 * low:z.1f} to {100 * high:z.1f} %", low)
