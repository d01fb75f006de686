"""The forms in which predictions are handed in, as a sample submission shows them.

A form is a file `datasets/submission/NAME.py` with a `Form`; to add one, add its file, its line in `FORMS`, and samples
of it in `tests/datasets/submission/samples.py`. `Submission` is a sample with the form that it shows, to be filled with
what is predicted; `kept.py` writes it down.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.best import Best
from sweep.datasets.submission.columns import Columns
from sweep.datasets.submission.contract import LABEL, PROBABILITY, Form, Found, Shown
from sweep.datasets.submission.label import Label
from sweep.datasets.submission.probability import Probability

__all__ = ["FORMS", "LABEL", "PROBABILITY", "Form", "Shown", "Submission", "recognise"]

FORMS: tuple[type[Form], ...] = (Label, Best, Probability, Columns)
KNOWN = "one label, one probability, a probability column a class, or the best labels in one column"


@dataclass(frozen=True)
class Submission:
    """A table to hand in: the columns of a sample, of which the form fills those that are neither ids nor kept.

    Attributes:
      header: the names of all columns; empty where the sample has none.
      ids: as the sample has them, in its order.
      rows: of each id, the row in the test split.
      other: the form that the same sample may ask for as well; None where there is none.
      id_column: the number of the column with the ids.
      kept: the cells of further columns that stay as they are, by the number of the column.
      separator: stands between two cells.
    """

    header: tuple[str, ...]
    ids: tuple[str, ...]
    rows: tuple[int, ...]
    form: Form = field(default_factory=Label)
    other: Form | None = None
    id_column: int = 0
    kept: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    separator: str = ","

    @staticmethod
    def of(ids: tuple[str, ...]) -> "Submission":
        """Returns the table `id,label` of these ids, where no sample shows another."""
        return Submission(("id", "label"), ids, tuple(range(len(ids))))

    def judged_by(self, holds: str | None) -> "Submission":
        """Returns the submission with the one form that counts where predictions are judged by labels or probabilities.

        Args:
          holds: LABEL or PROBABILITY; None where that is not known.
        """
        is_other = self.other is not None and self.form.holds != holds == self.other.holds
        return replace(self, form=self.other if is_other and self.other else self.form, other=None)

    @property
    def filled(self) -> list[int]:
        """The numbers of the columns that the form fills."""
        width = 1 + len(self.kept) + self.form.width
        return [number for number in range(width) if number != self.id_column and number not in self.kept]

    def table(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> bytes:
        """Returns the bytes of the table: a row an id, in the order of the ids.

        Args:
          shares: (N, classes) probabilities of the test images.
          answers: (N,) the number of the class that each is said to have.
        """
        rows = np.array(self.rows, np.int64)
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.separator, lineterminator="\n")
        if self.header:
            writer.writerow(self.header)
        filled = self.filled
        cells = self.form.cells(shares[rows], answers[rows], classes)
        for number, (name, some) in enumerate(zip(self.ids, cells, strict=True)):
            row = {self.id_column: name} | {column: values[number] for column, values in self.kept.items()}
            row |= dict(zip(filled, some, strict=True))
            writer.writerow([row[column] for column in range(len(row))])
        return text.getvalue().encode()

    def read(self, table: bytes) -> list[list[str]]:
        """Returns the rows of a table that was written, its header first where it has one.

        Raises:
          ValueError, csv.Error: it is no table.
        """
        return [*csv.reader(io.StringIO(table.decode(), newline=""), delimiter=self.separator, strict=True)]

    def sentence(self) -> str:
        """Says what is written: a phrase, without a verb."""
        if self.other is None:
            return self.form.sentence()
        return f"{self.form.sentence()}; {self.other.sentence()} where the metric is one of {HELD[self.other.holds]}"


HELD = {LABEL: "answers (macro_f1, mcc, ...)", PROBABILITY: "probabilities (auc, log_loss, ...)"}


def recognise(shown: Shown) -> tuple[Form, Form | None] | str:
    """Returns the form of a sample, and the other that it may have as well; or else what was understood, a phrase."""
    found = [form.recognised(shown) for form in FORMS]
    fitting = [one for one in found if isinstance(one, Found)]
    fitting.sort(key=lambda one: (not one.is_sure, not one.is_likelier))
    if fitting:
        first, *others = fitting
        other = next((one.form for one in others if not first.is_sure and one.form.holds != first.form.holds), None)
        return first.form, other
    reasons = [one for one in found if isinstance(one, str) and one]
    if reasons or not shown.names:
        return reasons[0] if reasons else "no column beside the ids"
    value = next(iter(shown.distinct()), "")
    return f"{quoted(value)} in {quoted(shown.names[0])}" if shown.names[0] else quoted(value)
