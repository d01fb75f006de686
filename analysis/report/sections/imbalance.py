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
    searched = {name for trial in record.trials for name in trial.params}
    names = [name for name in UNHANDLED if name in searched]
    complete = [trial for trial in record.ranked if trial.state == State.COMPLETE]
    handled = next((trial for trial in complete if _handles(trial)), None)
    plain = next((trial for trial in complete if not _handles(trial)), None)
    if not names or handled is None or plain is None:
        return None
    ours, others = answers(record, handled), answers(record, plain)
    if ours is None or others is None:
        return None
    labels, scale = record.valid_labels, record.metric.scale
    right, before = (ours == labels).astype(float), (others == labels).astype(float)
    sizes = np.bincount(labels, minlength=len(record.classes))
    there = [label for label in np.argsort(sizes, kind="stable") if sizes[label]]
    rows = [_row(record, label, np.flatnonzero(labels == label), right, before) for label in there[:MOST_LISTED]]
    how = ", ".join(f"{name} {handled.config[name]}" for name in UNHANDLED if _is_on(handled, name))
    sentence = (
        f"The best trial that handles unequal classes, {handled.number} ({how}), has {record.metric.one} of "
        f"{scale.value(handled.value)}, and the best that does not, {plain.number}, has {scale.value(plain.value)}, "
        "both on the images that chose them. They may differ in other hyperparameters too."
    )
    heads = ["class", "images", f"recall, trial {handled.number}", "95 % interval", f"recall, trial {plain.number}"]
    heads += ["95 % interval", "difference (points)", "95 % interval"]
    table = PartTable(heads, (False, *[True] * (len(heads) - 1)), rows)
    figure = _figure(record, there[:MOST_DRAWN], right, before, (handled, plain))
    return Part("What handling unequal classes changed", [sentence], [figure], table)


def _handles(trial: TrialRecord) -> bool:
    return any(_is_on(trial, name) for name in UNHANDLED)


def _is_on(trial: TrialRecord, name: str) -> bool:
    return trial.config.get(name) not in (None, UNHANDLED[name])


def _row(record: Record, label: int, images: np.ndarray, right: np.ndarray, before: np.ndarray) -> list[Cell]:
    """Returns the recall of both trials on the images of a class, and their difference, paired image by image."""
    size = len(images)
    cells = [Cell(record.classes[label]), Cell(f"{size:,}", size)]
    for each in (right, before):
        hits = int(each[images].sum())
        cells += [share(hits / size), interval(*share_interval(hits, size))]
    apart, sample = right[images] - before[images], WeightedImages([np.arange(size)])
    gain = float(apart.mean())
    low, high = sample.interval_of_difference(gain, sample.variance_of_difference(apart))
    return [*cells, Cell(f"{100 * gain:+z.1f}", gain), Cell(f"{100 * low:+z.1f} to {100 * high:+z.1f}", low)]


def _figure(
    record: Record, shown: list[int], right: np.ndarray, before: np.ndarray, trials: tuple[TrialRecord, TrialRecord]
) -> Figure:
    labels = record.valid_labels
    says = (
        "The recall of both trials on each class, the one with the fewest images first, with 95 % intervals. Handling "
        "unequal classes is to raise the small ones on top; what it costs the large ones stands at the bottom."
    )
    kinds = (("measured", "handled", right, APART), ("second", "not handled", before, -APART))
    series = []
    for (look, words, hits, apart), trial in zip(kinds, trials, strict=True):
        counts = [(int(hits[labels == label].sum()), int((labels == label).sum())) for label in shown]
        series.append(
            Series(
                look,
                [100 * found / size for found, size in counts],
                [apart - at for at in range(len(shown))],
                f"{words}, trial {trial.number}",
                [
                    f"{record.classes[label]}: {n} of {size} found"
                    for label, (n, size) in zip(shown, counts, strict=True)
                ],
                [(100 * low, 100 * high) for low, high in (share_interval(*count) for count in counts)],
                "x",
            )
        )
    axis = replace(named_rows([record.classes[label] for label in shown]), title="")
    height_px = 120 + ROW_PX * len(shown)
    return Figure("imbalance", says, (Chart(Axis("recall (%)", span=(-2, 103)), axis, tuple(series), "", height_px),))
