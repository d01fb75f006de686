"""What stands under one heading within a section of the report: sentences, figures, a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.analysis.report.charts import Figure


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
      text: as people read it, from outside as it came.
      value: what the column is sorted by; None where the text is; empty: the cell stays below.
    """

    text: str
    value: float | str | None = None


@dataclass(frozen=True)
class Table:
    """A table, a column a head.

    Attributes:
      heads: one each a column.
      are_numbers: whether the column holds numbers, one each.
      rows: of as many cells.
      marked: the rows, by their numbers, that stand out.
    """

    heads: Sequence[str]
    are_numbers: Sequence[bool]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Part:
    """What stands under one heading.

    Attributes:
      title: empty: there is no heading.
      sentences: a paragraph each.
      figures: beside each other where there is room.
    """

    title: str
    sentences: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    table: Table | None = None


def share(value: float | None) -> Cell:
    """A share in percent; a dash where there is none."""
    return Cell("-", "") if value is None else Cell(f"{100 * value:z.1f} %", value)


def interval(low: float, high: float) -> Cell:
    """An interval of a share, sorted by its lower end."""
    return Cell(f"{100 * low:z.1f} to {100 * high:z.1f} %", low)
