"""Shows what handling unequal classes changed, class by class.

It compares the best trial that handles unequal classes with the best trial that does not.
"""

from dataclasses import replace

import numpy as np

from sweep.analysis.estimates.intervals import WeightedImages, share_interval
from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series, named_rows
from sweep.analysis.report.parts import Cell, Part, PartTable, interval, share
from sweep.analysis.report.sections.classes import MOST_DRAWN, MOST_LISTED, ROW_PX, answers
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State
from sweep.trainable.config import UNHANDLED

APART = 0.16  # the distance of each of the two marks in a row from its middle, as a share of the row's height


def part(record: Record) -> Part | None:
    """Returns the part about handling unequal classes; None if there is nothing to compare.

    The comparison needs a search that varied one of the hyperparameters in `UNHANDLED`, a COMPLETE trial that handles
    unequal classes, and a COMPLETE trial that does not.
    """
    params = {name for trial in record.trials for name in trial.params}
    names = [name for name in UNHANDLED if name in params]
    complete = [trial for trial in record.ranked if trial.state == State.COMPLETE]
    handler = next((trial for trial in complete if _handles(trial)), None)
    plain = next((trial for trial in complete if not _handles(trial)), None)
    if not names or handler is None or plain is None:
        return None
    handler_answers, plain_answers = answers(record, handler), answers(record, plain)
    if handler_answers is None or plain_answers is None:
        return None
    labels, scale = record.valid_labels, record.metric.scale
    right, plain_right = (handler_answers == labels).astype(float), (plain_answers == labels).astype(float)
    sizes = np.bincount(labels, minlength=len(record.classes))
    smallest_first = [label for label in np.argsort(sizes, kind="stable") if sizes[label]]
    rows = [
        _row(record, label, np.flatnonzero(labels == label), right, plain_right)
        for label in smallest_first[:MOST_LISTED]
    ]
    settings = ", ".join(f"{name} {handler.config[name]}" for name in UNHANDLED if _is_on(handler, name))
    sentence = (
        f"The best trial that handles unequal classes, {handler.number} ({settings}), has {record.metric.one} of "
        f"{scale.value(handler.value)}, and the best that does not, {plain.number}, has {scale.value(plain.value)}, "
        "both on the images that chose them. They may differ in other hyperparameters too."
    )
    heads = [
        "class",
        "images",
        f"recall, trial {handler.number}",
        "95 % interval",
        f"recall, trial {plain.number}",
    ]
    heads += ["95 % interval", "difference (points)", "95 % interval"]
    table = PartTable(heads, (False, *[True] * (len(heads) - 1)), rows)
    figure = _figure(record, smallest_first[:MOST_DRAWN], right, plain_right, (handler, plain))
    return Part("What handling unequal classes changed", [sentence], [figure], table)


def _handles(trial: TrialRecord) -> bool:
    return any(_is_on(trial, name) for name in UNHANDLED)


def _is_on(trial: TrialRecord, name: str) -> bool:
    return trial.config.get(name) not in (None, UNHANDLED[name])


def _row(record: Record, label: int, images: np.ndarray, right: np.ndarray, plain_right: np.ndarray) -> list[Cell]:
    """Returns the recall of both trials on the images of a class, and their difference, paired image by image."""
    size = len(images)
    cells = [Cell(record.classes[label]), Cell(f"{size:,}", size)]
    for is_right in (right, plain_right):
        hits = int(is_right[images].sum())
        cells += [share(hits / size), interval(*share_interval(hits, size))]
    differences, sample = right[images] - plain_right[images], WeightedImages([np.arange(size)])
    gain = float(differences.mean())
    low, high = sample.interval_of_difference(gain, sample.variance_of_difference(differences))
    return [*cells, Cell(f"{100 * gain:+z.1f}", gain), Cell(f"{100 * low:+z.1f} to {100 * high:+z.1f}", low)]


def _figure(
    record: Record,
    shown_labels: list[int],
    right: np.ndarray,
    plain_right: np.ndarray,
    trials: tuple[TrialRecord, TrialRecord],
) -> Figure:
    labels = record.valid_labels
    caption = (
        "The recall of both trials on each class, the one with the fewest images first, with 95 % intervals. Handling "
        "unequal classes is to raise the small ones on top; what it costs the large ones stands at the bottom."
    )
    kinds = (("measured", "handled", right, APART), ("second", "not handled", plain_right, -APART))
    series = []
    for (look, words, hits, offset), trial in zip(kinds, trials, strict=True):
        counts = [(int(hits[labels == label].sum()), int((labels == label).sum())) for label in shown_labels]
        series.append(
            Series(
                look,
                [100 * count / size for count, size in counts],
                [offset - row for row in range(len(shown_labels))],
                f"{words}, trial {trial.number}",
                [
                    f"{record.classes[label]}: {n} of {size} found"
                    for label, (n, size) in zip(shown_labels, counts, strict=True)
                ],
                [(100 * low, 100 * high) for low, high in (share_interval(*count) for count in counts)],
                "x",
            )
        )
    axis = replace(named_rows([record.classes[label] for label in shown_labels]), title="")
    height_px = 120 + ROW_PX * len(shown_labels)
    return Figure(
        "imbalance", caption, (Chart(Axis("recall (%)", span=(-2, 103)), axis, tuple(series), "", height_px),)
    )
