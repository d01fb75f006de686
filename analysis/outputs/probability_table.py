"""Tables of probabilities for other programs to read: a row an image, a column `p(CLASS)` for each class."""

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from sweep.datasets.submission.numbers import written


def probability_table(leading: Mapping[str, Sequence[str]], shares: np.ndarray, classes: Sequence[str]) -> bytes:
    """Returns the bytes of a CSV: the leading columns, then the probability of each class in class order.

    A class has the column `p(CLASS)`, so that none can be called as a leading column is. Fields are quoted only where
    CSV asks for it, and lines end with a line feed. Nothing is escaped for spreadsheets: no id or label of a data set
    can be a formula, `datasets.labels`.

    Args:
      leading: N values of each column by its name, such as `id`, in the order of the columns.
      shares: (N, classes) probabilities.

    Raises:
      ValueError: the columns, the rows or the classes are not as many as each other.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if shares.shape[1:] != (len(classes),):
        raise ValueError(f"shares must be (N, {len(classes)}), got {shares.shape}")
    writer.writerow([*leading, *(f"p({label})" for label in classes)])
    for *cells, row in zip(*leading.values(), shares, strict=True):
        writer.writerow([*cells, *map(written, row)])
    return text.getvalue().encode()
