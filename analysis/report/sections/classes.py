"""Shows how the best trial does on each class: precision, recall and F1 with intervals, and a confusion matrix.

Recall is a share of the images of a class, and precision a share of the images that are predicted as the class. So both
have the interval of Clopper and Pearson (`analysis.estimates.intervals`). F1 is a function of a share too: if j is the
share of images that are both, among those that are of the class or predicted as it, F1 is 2 j / (1 + j). The interval
of F1 is that of j, with this function applied to its ends (Lam, Gopal and Qian, "Confidence intervals for the F1 score:
a comparison of four methods", 2024, who call it the method of Clopper and Pearson).
"""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.intervals import share_interval
from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Matrix, Series, named_rows
from sweep.analysis.report.parts import Cell, Part, PartTable, interval, share
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.text import counted

MOST_DRAWN = 30  # classes in the figure of recall, precision and F1
MOST_CROSSED = 40  # classes in the confusion matrix
MOST_LISTED = 100  # classes in the table
HEADS = ("class", "images", "recall", "95 % interval", "answers", "precision", "95 % interval", "F1", "95 % interval")
APART = 0.22  # the distance between the marks in a row, as a share of the row's height
ROW_PX = 40


@dataclass(frozen=True)
class Share:
    """A share of some images, or a function of such a share.

    Attributes:
      value: the share; None if there are no images.
      low, high: the 95 % interval.
    """

    value: float | None
    low: float
    high: float

    @classmethod
    def estimated(cls, right: int, images: int) -> "Share":
        """Returns the share of images that are right, with its interval."""
        return cls(right / images if images else None, *share_interval(right, images))


@dataclass(frozen=True)
class ClassRow:
    """The results of the best trial on one class.

    Attributes:
      label: the name of the class.
      images: how many validation images are of the class.
      answers: how many validation images are predicted as the class.
      right: how many images are both.
      taken_for: the class that is most often predicted for images of this class by mistake; empty without mistakes.
      mistakes: how often this mistake is made.
    """

    label: str
    images: int
    answers: int
    right: int
    taken_for: str = ""
    mistakes: int = 0

    @property
    def recall(self) -> Share:
        """The share of the images of the class that are predicted as the class."""
        return Share.estimated(self.right, self.images)

    @property
    def precision(self) -> Share:
        """The share of the images predicted as the class that are of the class."""
        return Share.estimated(self.right, self.answers)

    @property
    def f1(self) -> Share:
        """The F1 score of the class: the harmonic mean of recall and precision."""
        overlap = Share.estimated(self.right, self.images + self.answers - self.right)
        low, high = (2 * end / (1 + end) for end in (overlap.low, overlap.high))
        return Share(None if overlap.value is None else 2 * overlap.value / (1 + overlap.value), low, high)


def answers(record: Record, trial: TrialRecord) -> np.ndarray | None:
    """Returns (N,) the class that a trial predicts for each image at its best epoch; None if that was not kept."""
    logits = None if trial.number in record.damaged else trial.valid_logits
    return None if logits is None else logits.argmax(axis=1)


def class_rows(classes: list[str], labels: np.ndarray, answers: np.ndarray) -> list[ClassRow]:
    """Returns a row for each class.

    Args:
      classes: the names of the classes.
      labels: (N,) the index of each image's true class.
      answers: (N,) the index of the class that is predicted for each image.
    """
    parts = (labels, answers, labels[labels == answers])
    image_counts, answer_counts, right_counts = (np.bincount(part, minlength=len(classes)).tolist() for part in parts)
    top_mistakes: dict[int, tuple[int, int]] = {}
    for count, true, predicted in _mistakes(labels, answers, len(classes)):
        top_mistakes.setdefault(true, (count, predicted))
    rows = []
    for index, label in enumerate(classes):
        count, predicted = top_mistakes.get(index, (0, 0))
        rows.append(
            ClassRow(
                label,
                image_counts[index],
                answer_counts[index],
                right_counts[index],
                classes[predicted] if count else "",
                count,
            )
        )
    return rows


def part(rows: list[ClassRow], figures: list[Figure]) -> Part:
    """Returns the part with the figures and the table of the classes; if there are many, only of the hardest ones."""
    rows_shown, words = listed(rows)
    cells = [
        [
            Cell(row.label),
            Cell(f"{row.images:,}", row.images),
            *_share_cells(row.recall),
            Cell(f"{row.answers:,}", row.answers),
            *_share_cells(row.precision),
            *_share_cells(row.f1),
            Cell(f"{row.taken_for} ({row.mistakes:,})" if row.mistakes else "", row.taken_for),
        ]
        for row in rows_shown
    ]
    heads = (*HEADS, "mistaken for")
    table = PartTable(heads, (False, *[True] * (len(HEADS) - 1), False), cells)
    return Part("", [words] if words else [], figures, table)


def _share_cells(estimate: Share) -> list[Cell]:
    return [share(estimate.value), interval(estimate.low, estimate.high)]


def listed(rows: list[ClassRow]) -> tuple[list[ClassRow], str]:
    """Returns the rows that a table shows, and a sentence about the others, which is empty if it shows all."""
    if len(rows) <= MOST_LISTED:
        return rows, ""
    hardest_first = hardest(rows)
    hard, others = hardest_first[:MOST_LISTED], hardest_first[MOST_LISTED:]
    words = f"Of {len(rows):,} classes the {len(hard)} hardest are listed, by their F1."
    if others:
        right = sum(row.right for row in others) / sum(row.images for row in others)
        words += f" Of the images of {len(others):,} others {100 * right:.1f} % are right."
    if absent := len(rows) - len(hardest_first):
        words += f" No validation image is of {counted(absent, 'class', 'classes')}."
    return hard, words


def hardest(rows: list[ClassRow]) -> list[ClassRow]:
    """Returns the rows of the classes that have images, the one with the lowest F1 first."""
    return sorted((row for row in rows if row.images), key=lambda row: row.f1.value or 0.0)


def _mistakes(labels: np.ndarray, answers: np.ndarray, classes: int) -> list[tuple[int, int, int]]:
    """Returns the mistakes, the most frequent first, as (count, true class, predicted class)."""
    is_wrong = labels != answers
    cells, counts = np.unique(labels[is_wrong] * classes + answers[is_wrong], return_counts=True)
    cell_counts = zip(counts.tolist(), cells.tolist(), strict=True)
    mistakes = [(count, cell // classes, cell % classes) for count, cell in cell_counts]
    return sorted(mistakes, key=lambda mistake: (-mistake[0], *mistake[1:]))


def confusion_figure(classes: list[str], labels: np.ndarray, answers: np.ndarray) -> Figure:
    """Returns the confusion matrix; of many classes, only of those that are most often mistaken for each other.

    Args:
      classes: the names of the classes.
      labels: (N,) the index of each image's true class.
      answers: (N,) the index of the class that is predicted for each image.
    """
    caption = (
        "What the best trial takes each class for, at its best epoch: a row is a true class, a column an answer, and "
        "the darker a cell, the larger its share of the row. What lies off the diagonal is mistaken."
    )
    indices = list(range(len(classes)))
    if len(classes) > MOST_CROSSED:
        by_mistakes = [index for _, *pair in _mistakes(labels, answers, len(classes)) for index in pair]
        indices = sorted(list(dict.fromkeys([*by_mistakes, *indices]))[:MOST_CROSSED])
        caption += f" Of {len(classes):,} classes the {len(indices)} are drawn between which most mistakes are made."
    place = np.full(len(classes), -1)
    place[indices] = np.arange(len(indices))
    rows, columns = place[labels], place[answers]
    is_drawn = (rows >= 0) & (columns >= 0)
    cells = np.bincount((rows * len(indices) + columns)[is_drawn], minlength=len(indices) ** 2)
    matrix = cells.reshape(len(indices), len(indices))
    return Figure("confusion", caption, (Matrix(matrix.tolist(), [classes[index] for index in indices]),))


def classes_figure(rows: list[ClassRow]) -> Figure:
    """Returns the figure of recall, precision and F1 of each class, or of the hardest classes if there are many."""
    hardest_first = hardest(rows)
    left_out, rows_shown = len(hardest_first) - MOST_DRAWN, hardest_first[:MOST_DRAWN]
    caption = (
        "Recall (the share of the images of a class that are found), precision (the share of the answers with it that "
        "are right) and F1 of the best trial, the class with the lowest F1 first, with 95 % intervals: where two "
        "overlap by much, the difference may be chance."
        + (f" The {left_out} easiest are left out." if left_out > 0 else "")
    )
    kinds = (("measured", "recall"), ("second", "precision"), ("third", "F1"))
    series = []
    for place, (look, name) in enumerate(kinds):
        points = [
            (row, getattr(row, name.lower()), -index + APART * (1 - place)) for index, row in enumerate(rows_shown)
        ]
        points = [point for point in points if point[1].value is not None]
        series.append(
            Series(
                look,
                [100 * estimate.value for _, estimate, _ in points],
                [y for _, _, y in points],
                name,
                [f"{row.label}: {name} {100 * estimate.value:.1f} %" for row, estimate, _ in points],
                [(100 * estimate.low, 100 * estimate.high) for _, estimate, _ in points],
                "x",
            )
        )
    height_px = 120 + ROW_PX * len(rows_shown)
    chart = Chart(
        Axis("%", span=(-2, 103)), named_rows([row.label for row in rows_shown]), tuple(series), "", height_px
    )
    return Figure("classes", caption, (chart,))
