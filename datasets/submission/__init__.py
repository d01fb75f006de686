"""The form in which predictions are handed in, as a sample submission shows it."""

import csv
import io
from dataclasses import dataclass


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

    def table(self) -> bytes:
        """Returns a CSV with the header, and for each id the row of its image in the test split, from 0."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(zip(self.ids, self.rows, strict=True))
        return text.getvalue().encode()

    @staticmethod
    def parsed(table: bytes) -> "Submission":
        """Reads what `table` wrote.

        Raises:
          ValueError, csv.Error: it is no such table.
        """
        header, *rows = [*csv.reader(io.StringIO(table.decode(), newline=""), strict=True)] or [[]]
        if len(header) != 2 or any(len(row) != 2 for row in rows):
            raise ValueError("must have two fields a row")
        return Submission((header[0], header[1]), tuple(row[0] for row in rows), tuple(int(row[1]) for row in rows))
