"""How the best trial does on each class: precision, recall and F1 with intervals, and what is taken for what.

Recall is a share of the images of a class, precision a share of the images that are said to be of it, and so both have
the interval of Clopper and Pearson, `analysis.estimates.intervals`. F1 is a function of a share too: of the images that
are of the class or said to be, the share j that are both gives F1 = 2 j / (1 + j). Its interval is that of j, taken
through this function (Lam, Gopal and Qian, "Confidence intervals for the F1 score: a comparison of four methods", 2024,
who call it the method of Clopper and Pearson).
"""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.intervals import share_interval
from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Matrix, Series, named_rows
from sweep.analysis.report.parts import Cell, Part, Table, interval, share
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.text import counted

MOST_DRAWN = 30  # classes with their shares
MOST_CROSSED = 40  # classes of which it is drawn which is taken for which
MOST_LISTED = 100  # classes in a table
HEADS = ("class", "images", "recall", "95 % interval", "answers", "precision", "95 % interval", "F1", "95 % interval")
APART = 0.22  # of a row, between the marks in it
ROW_PX = 40


@dataclass(frozen=True)
class Share:
    """A share of some images, or a function of one.

    Attributes:
      value: None where there are no images.
      low, high: 95 % interval.
    """

    value: float | None
    low: float
    high: float

    @classmethod
    def of(cls, right: int, images: int) -> "Share":
        return cls(right / images if images else None, *share_interval(right, images))


@dataclass(frozen=True)
class ClassRow:
    """How the best trial does on one class.

    Attributes:
      images: of the class in the validation split.
      answers: images that are said to be of it.
      right: images that are both.
      taken_for: the class it is most often mistaken for; empty where there is no mistake.
      mistakes: how often that is.
    """

    label: str
    images: int
    answers: int
    right: int
    taken_for: str = ""
    mistakes: int = 0

    @property
    def recall(self) -> Share:
        return Share.of(self.right, self.images)

    @property
    def precision(self) -> Share:
        return Share.of(self.right, self.answers)

    @property
    def f1(self) -> Share:
        both = Share.of(self.right, self.images + self.answers - self.right)
        low, high = (2 * end / (1 + end) for end in (both.low, both.high))
        return Share(None if both.value is None else 2 * both.value / (1 + both.value), low, high)


def answers(record: Record, trial: TrialRecord) -> np.ndarray | None:
    """(N,) the class that the trial takes each image for, at its best epoch; None where that was not kept."""
    logits = None if trial.number in record.damaged else trial.valid_logits
    return None if logits is None else logits.argmax(axis=1)


def class_rows(classes: list[str], labels: np.ndarray, answers: np.ndarray) -> list[ClassRow]:
    """A row a class.

    Args:
      labels, answers: (N,) class indices, what each image is and what it is taken for.
    """
    parts = (labels, answers, labels[labels == answers])
    every, said, right = (np.bincount(part, minlength=len(classes)).tolist() for part in parts)
    most: dict[int, tuple[int, int]] = {}
    for count, of, other in _mistakes(labels, answers, len(classes)):
        most.setdefault(of, (count, other))
    rows = []
    for index, label in enumerate(classes):
        count, other = most.get(index, (0, 0))
        rows.append(ClassRow(label, every[index], said[index], right[index], classes[other] if count else "", count))
    return rows


def part(rows: list[ClassRow], figures: list[Figure]) -> Part:
    """The table of the classes under the figures; of many classes the hardest."""
    shown, words = listed(rows)
    cells = [
        [
            Cell(row.label),
            Cell(f"{row.images:,}", row.images),
            *_shown(row.recall),
            Cell(f"{row.answers:,}", row.answers),
            *_shown(row.precision),
            *_shown(row.f1),
            Cell(f"{row.taken_for} ({row.mistakes:,})" if row.mistakes else "", row.taken_for),
        ]
        for row in shown
    ]
    heads = (*HEADS, "mistaken for")
    table = Table(heads, (False, *[True] * (len(HEADS) - 1), False), cells)
    return Part("", [words] if words else [], figures, table)


def _shown(found: Share) -> list[Cell]:
    return [share(found.value), interval(found.low, found.high)]


def listed(rows: list[ClassRow]) -> tuple[list[ClassRow], str]:
    """Returns the rows that a table shows, and what is to be said of the others; empty where it shows all."""
    if len(rows) <= MOST_LISTED:
        return rows, ""
    there = hardest(rows)
    hard, others = there[:MOST_LISTED], there[MOST_LISTED:]
    words = f"Of {len(rows):,} classes the {len(hard)} hardest are listed, by their F1."
    if others:
        right = sum(row.right for row in others) / sum(row.images for row in others)
        words += f" Of the images of {len(others):,} others {100 * right:.1f} % are right."
    if lacking := len(rows) - len(there):
        words += f" No validation image is of {counted(lacking, 'class', 'classes')}."
    return hard, words


def hardest(rows: list[ClassRow]) -> list[ClassRow]:
    """The classes that have images, the one with the lowest F1 first."""
    return sorted((row for row in rows if row.images), key=lambda row: row.f1.value or 0.0)


def _mistakes(labels: np.ndarray, answers: np.ndarray, classes: int) -> list[tuple[int, int, int]]:
    """Returns how often an image of a class is taken for another: count, class, the other; the commonest first."""
    is_wrong = labels != answers
    cells, counts = np.unique(labels[is_wrong] * classes + answers[is_wrong], return_counts=True)
    found = zip(counts.tolist(), cells.tolist(), strict=True)
    pairs = [(count, cell // classes, cell % classes) for count, cell in found]
    return sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))


def confusion_figure(classes: list[str], labels: np.ndarray, answers: np.ndarray) -> Figure:
    """Draws how often each class is taken for which; of many classes those between which most mistakes are made."""
    says = (
        "What the best trial takes each class for, at its best epoch: a row is a true class, a column an answer, and "
        "the darker a cell, the larger its share of the row. What lies off the diagonal is mistaken."
    )
    drawn = list(range(len(classes)))
    if len(classes) > MOST_CROSSED:
        often = [index for _, *pair in _mistakes(labels, answers, len(classes)) for index in pair]
        drawn = sorted(list(dict.fromkeys([*often, *drawn]))[:MOST_CROSSED])
        says += f" Of {len(classes):,} classes the {len(drawn)} are drawn between which most mistakes are made."
    place = np.full(len(classes), -1)
    place[drawn] = np.arange(len(drawn))
    rows, columns = place[labels], place[answers]
    is_drawn = (rows >= 0) & (columns >= 0)
    cells = np.bincount((rows * len(drawn) + columns)[is_drawn], minlength=len(drawn) ** 2)
    matrix = cells.reshape(len(drawn), len(drawn))
    return Figure("confusion", says, (Matrix(matrix.tolist(), [classes[index] for index in drawn]),))


def classes_figure(rows: list[ClassRow]) -> Figure:
    """Draws recall, precision and F1 of each class."""
    there = hardest(rows)
    left_out, shown = len(there) - MOST_DRAWN, there[:MOST_DRAWN]
    says = (
        "Recall (the share of the images of a class that are found), precision (the share of the answers with it that "
        "are right) and F1 of the best trial, the class with the lowest F1 first, with 95 % intervals: where two "
        "overlap by much, the difference may be chance."
        + (f" The {left_out} easiest are left out." if left_out > 0 else "")
    )
    kinds = (("measured", "recall"), ("second", "precision"), ("third", "F1"))
    series = []
    for place, (look, name) in enumerate(kinds):
        found = [(row, getattr(row, name.lower()), -at + APART * (1 - place)) for at, row in enumerate(shown)]
        found = [each for each in found if each[1].value is not None]
        series.append(
            Series(
                look,
                [100 * each.value for _, each, _ in found],
                [y for _, _, y in found],
                name,
                [f"{row.label}: {name} {100 * each.value:.1f} %" for row, each, _ in found],
                [(100 * each.low, 100 * each.high) for _, each, _ in found],
                "x",
            )
        )
    height_px = 120 + ROW_PX * len(shown)
    chart = Chart(Axis("%", span=(-2, 103)), named_rows([row.label for row in shown]), tuple(series), "", height_px)
    return Figure("classes", says, (chart,))
