"""How the best trial does on each class, and how far its confidence can be trusted."""

from dataclasses import dataclass

import numpy as np

from analysis.estimates.intervals import share_interval
from analysis.record import Record, TrialRecord
from analysis.report.charts import Axis, Chart, Figure, Matrix, Series, named_rows, rows_height_px
from storage.text import counted

BINS = 10  # of confidence, of equal width
MOST_DRAWN = 30  # classes with their accuracies
MOST_CROSSED = 40  # classes of which it is drawn which is taken for which
MOST_LISTED = 100  # classes in a table
WELL = 0.01  # probability less accuracy, on average


@dataclass(frozen=True)
class ClassRow:
    """How the best trial does on one class.

    Attributes:
      images: of the class in the validation split.
      right: of these, at the trial's best epoch.
      low, high: 95 % interval of the accuracy.
      taken_for: the class it is most often mistaken for; empty where there is no mistake.
      mistakes: how often that is.
    """

    label: str
    images: int
    right: int
    low: float
    high: float
    taken_for: str
    mistakes: int

    @property
    def accuracy(self) -> float | None:
        return self.right / self.images if self.images else None


@dataclass(frozen=True)
class Bin:
    """The images whose predicted class has a probability in one bin.

    Attributes:
      images: how many; one at least.
      confidence: the mean of that probability.
      accuracy: the share that is right; `low` and `high` its 95 % interval.
    """

    images: int
    confidence: float
    accuracy: float
    low: float
    high: float


def answers(record: Record, trial: TrialRecord) -> np.ndarray | None:
    """(N,) the class that the trial takes each image for, at its best epoch; None where that was not kept."""
    predicted = None if trial.number in record.damaged else trial.valid_classes
    return None if predicted is None else predicted[trial.best_epoch - 1].astype(np.int64)


def _mistakes(labels: np.ndarray, answers: np.ndarray, classes: int) -> list[tuple[int, int, int]]:
    """Returns how often an image of a class is taken for another: count, class, the other; the commonest first."""
    is_wrong = labels != answers
    cells, counts = np.unique(labels[is_wrong] * classes + answers[is_wrong], return_counts=True)
    found = zip(counts.tolist(), cells.tolist(), strict=True)
    pairs = [(count, cell // classes, cell % classes) for count, cell in found]
    return sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))


def class_rows(classes: list[str], labels: np.ndarray, answers: np.ndarray) -> list[ClassRow]:
    """A row a class.

    Args:
      labels, answers: (N,) class indices, what each image is and what it is taken for.
    """
    every, right = (np.bincount(part, minlength=len(classes)) for part in (labels, labels[labels == answers]))
    most: dict[int, tuple[int, int]] = {}
    for count, of, other in _mistakes(labels, answers, len(classes)):
        most.setdefault(of, (count, other))
    rows = []
    for index, label in enumerate(classes):
        count, other = most.get(index, (0, 0))
        hits, images = int(right[index]), int(every[index])
        taken_for = classes[other] if count else ""
        rows.append(ClassRow(label, images, hits, *share_interval(hits, images), taken_for, count))
    return rows


def listed(rows: list[ClassRow]) -> tuple[list[ClassRow], str]:
    """Returns the rows that a table shows, and what is to be said of the others; empty where it shows all."""
    if len(rows) <= MOST_LISTED:
        return rows, ""
    there = sorted((row for row in rows if row.images), key=_accuracy)
    hard, others = there[:MOST_LISTED], there[MOST_LISTED:]
    words = f"Of {len(rows):,} classes the {len(hard)} hardest are listed."
    if others:
        share = sum(row.right for row in others) / sum(row.images for row in others)
        words += f" Of the images of {len(others):,} others {100 * share:.1f} % are right."
    if lacking := len(rows) - len(there):
        words += f" No validation image is of {counted(lacking, 'class', 'classes')}."
    return hard, words


def _accuracy(row: ClassRow) -> float:
    return row.right / row.images


def calibration(shares: np.ndarray, labels: np.ndarray) -> tuple[list[Bin], float]:
    """The bins that hold images, and the expected calibration error: the mean over the images of the gap of their bin.

    Args:
      shares: (N, classes) probabilities.
      labels: (N,) class indices.
    """
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for index in np.unique(place):
        inside = place == index
        images, hits = int(inside.sum()), int(right[inside].sum())
        bins.append(Bin(images, float(confidence[inside].mean()), hits / images, *share_interval(hits, images)))
    error = sum(found.images * abs(found.accuracy - found.confidence) for found in bins) / len(labels)
    return bins, error


def calibration_sentence(bins: list[Bin], error: float) -> str:
    """Plain: how large the error is, and to which side."""
    images = sum(found.images for found in bins)
    confidence = sum(found.images * found.confidence for found in bins) / images
    accuracy = sum(found.images * found.accuracy for found in bins) / images
    gap = confidence - accuracy
    way = "about as confident as" if abs(gap) < WELL else ("more confident than" if gap > 0 else "more cautious than")
    return (
        f"On average the best trial gives its answers a probability of {100 * confidence:.1f} %, and "
        f"{100 * accuracy:.1f} % of them are right: it is {way} it should be. The expected calibration error, the mean "
        f"gap between the two over {BINS} bins of probability, is {100 * error:.1f} points."
    )


def calibration_figure(bins: list[Bin]) -> Figure:
    says = (
        "How often the best trial is right when it gives its answer so much probability, with 95 % intervals. On the "
        "dashed line the two agree; below it the trial is too confident, above it too cautious."
    )
    texts = [
        f"{counted(found.images, 'image')}\n{100 * found.confidence:.0f} % sure, {100 * found.accuracy:.0f} % right"
        for found in bins
    ]
    series = (
        Series("guide", [0, 100], [0, 100], "as it should be"),
        Series(
            "measured",
            [100 * found.confidence for found in bins],
            [100 * found.accuracy for found in bins],
            "the best trial",
            texts,
            [(100 * found.low, 100 * found.high) for found in bins],
        ),
    )
    axes = Axis("probability given to the answer (%)", span=(0, 103)), Axis("answers that are right (%)", span=(0, 103))
    return Figure("calibration", says, (Chart(*axes, series),))


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


def accuracies_figure(rows: list[ClassRow]) -> Figure:
    there = sorted((row for row in rows if row.images), key=_accuracy)
    left_out, shown = len(there) - MOST_DRAWN, there[:MOST_DRAWN]
    says = "The accuracy of the best trial on each class, the hardest first, with 95 % intervals: " + (
        "where two overlap by much, the difference may be chance."
        + (f" The {left_out} easiest are left out." if left_out > 0 else "")
    )
    series = Series(
        "measured",
        [100 * row.right / row.images for row in shown],
        [-place for place in range(len(shown))],
        texts=[f"{row.label}: {row.right} of {row.images} right" for row in shown],
        intervals=[(100 * row.low, 100 * row.high) for row in shown],
        intervals_along="x",
    )
    chart = Chart(
        Axis("accuracy (%)", span=(0, 103)),
        named_rows([row.label for row in shown]),
        (series,),
        height_px=rows_height_px(len(shown)),
    )
    return Figure("classes", says, (chart,))
