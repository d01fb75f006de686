"""The forms in which predictions may be handed in, which are recognised from a sample submission.

A form is a file `datasets/submission/NAME.py` with a subclass of `Form`; to add one, add its file, its class in
`FORMS`, and samples of it in `tests/datasets/submission/test_forms.py`. A `Submission` is a sample together with its
form, which can be filled with predictions; `stored.py` stores it in the folder of a sweep.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sweep.datasets.problems import shown as quoted
from sweep.datasets.submission.best import Best
from sweep.datasets.submission.columns import ProbabilityColumns
from sweep.datasets.submission.contract import LABEL, PROBABILITY, Form, Match, SampleContent
from sweep.datasets.submission.label import Label
from sweep.datasets.submission.probability import Probability

__all__ = ["FORMS", "LABEL", "PROBABILITY", "Form", "SampleContent", "Submission", "recognise"]

FORMS: tuple[type[Form], ...] = (Label, Best, Probability, ProbabilityColumns)
KNOWN = "one label, one probability, a probability column a class, or the best labels in one column"


@dataclass(frozen=True)
class Submission:
    """A table to hand in: the columns of a sample submission, and the form of the columns that predictions fill.

    Attributes:
      header: the names of all columns; empty if the sample has none.
      ids: the ids of the sample, in its order.
      rows: for each id its row in the test split.
      form: how predictions are written into the columns that hold neither ids nor kept cells.
      other: another form that the same sample may ask for; None if there is none.
      id_column: the number of the column with the ids.
      kept: the cells of columns that stay as they are, by the number of the column.
      separator: the text between two cells.
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
    def plain(ids: tuple[str, ...]) -> "Submission":
        """Returns the table `id,label` for these ids, which is used if there is no sample."""
        return Submission(("id", "label"), ids, tuple(range(len(ids))))

    def judged_by(self, holds: str | None) -> "Submission":
        """Returns the submission with only the form that suits how predictions are judged.

        Args:
          holds: LABEL or PROBABILITY, which is what the metric judges; None if that is not known.
        """
        is_other = self.other is not None and self.form.holds != holds == self.other.holds
        return replace(self, form=self.other if is_other and self.other else self.form, other=None)

    @property
    def filled(self) -> list[int]:
        """The numbers of the columns that the form fills."""
        width = 1 + len(self.kept) + self.form.width
        return [number for number in range(width) if number != self.id_column and number not in self.kept]

    def table(self, shares: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> bytes:
        """Returns the bytes of the table, with a row for each id in the order of the ids.

        Args:
          shares: (N, classes) probabilities of the test images.
          answers: (N,) numbers of the classes that are predicted.
          classes: the names of the classes.
        """
        rows = np.array(self.rows, np.int64)
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.separator, lineterminator="\n")
        if self.header:
            writer.writerow(self.header)
        filled = self.filled
        cells = self.form.cells(shares[rows], answers[rows], classes)
        for number, (name, row_cells) in enumerate(zip(self.ids, cells, strict=True)):
            row = {self.id_column: name} | {column: values[number] for column, values in self.kept.items()}
            row |= dict(zip(filled, row_cells, strict=True))
            writer.writerow([row[column] for column in range(len(row))])
        return text.getvalue().encode()

    def read(self, table: bytes) -> list[list[str]]:
        """Returns the rows of a table that was written, beginning with the header if it has one.

        Raises:
          ValueError: it is not UTF-8.
          csv.Error: it is not CSV.
        """
        return [*csv.reader(io.StringIO(table.decode(), newline=""), delimiter=self.separator, strict=True)]

    def sentence(self) -> str:
        """Returns a phrase, without a verb, for what is written into the columns."""
        if self.other is None:
            return self.form.sentence()
        return f"{self.form.sentence()}; {self.other.sentence()} where the metric is one of {HELD[self.other.holds]}"


HELD = {LABEL: "answers (macro_f1, mcc, ...)", PROBABILITY: "probabilities (auc, log_loss, ...)"}


def recognise(sample: SampleContent) -> tuple[Form, Form | None] | str:
    """Returns the form of a sample, and another form that it may have or None.

    If no form fits, it returns a phrase that says what the sample shows instead.
    """
    results = [form.recognised(sample) for form in FORMS]
    matches = [match for match in results if isinstance(match, Match)]
    matches.sort(key=lambda match: (not match.is_sure, not match.is_likelier))
    if matches:
        first, *others = matches
        other = next((each.form for each in others if not first.is_sure and each.form.holds != first.form.holds), None)
        return first.form, other
    reasons = [result for result in results if isinstance(result, str) and result]
    if reasons or not sample.names:
        return reasons[0] if reasons else "no column beside the ids"
    value = next(iter(sample.distinct()), "")
    return f"{quoted(value)} in {quoted(sample.names[0])}" if sample.names[0] else quoted(value)
