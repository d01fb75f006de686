"""Makes tables of probabilities for other programs: one row for each image, one column `p(CLASS)` for each class."""

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from sweep.datasets.submission.numbers import written


def probability_table(leading: Mapping[str, Sequence[str]], shares: np.ndarray, classes: Sequence[str]) -> bytes:
    """Returns the bytes of a CSV: the leading columns, then the probability of each class, in the order of the classes.

    The column of a class is called `p(CLASS)`, so that it cannot have the name of a leading column. Fields are quoted
    only if CSV requires it, and lines end with a line feed. Nothing is escaped for spreadsheets, because
    `datasets.labels` refuses ids and labels that a spreadsheet could take for a formula.

    Args:
      leading: the N values of each leading column, such as `id`, by the names of the columns in their order.
      shares: (N, classes) probabilities.
      classes: the names of the classes.

    Raises:
      ValueError: a leading column or `shares` has not N rows, or `shares` has not a column for each class.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if shares.shape[1:] != (len(classes),):
        raise ValueError(f"shares must be (N, {len(classes)}), got {shares.shape}")
    writer.writerow([*leading, *(f"p({label})" for label in classes)])
    for *cells, row in zip(*leading.values(), shares, strict=True):
        writer.writerow([*cells, *map(written, row)])
    return text.getvalue().encode()
