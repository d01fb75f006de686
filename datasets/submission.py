"""The form in which predictions are handed in, as a sample submission shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """A sample submission as it was written.

    Attributes:
      place: path shown in messages.
      header: its columns.
      rows: a row an image, with as many fields.
      lines: the line, from 1, on which each stands.
    """

    place: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Submission:
    """How predictions are written: a table of ids and one label.

    Attributes:
      header: the names of its two columns.
      ids: as the sample has them, in its order.
      rows: of each id, the row in the test split.
    """

    header: tuple[str, str]
    ids: tuple[str, ...]
    rows: tuple[int, ...]

    @staticmethod
    def of(ids: tuple[str, ...]) -> "Submission":
        """Returns the form that has these ids as they are, where no sample shows another."""
        return Submission(("id", "label"), ids, tuple(range(len(ids))))
