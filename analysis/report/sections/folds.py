"""Shows the folds side by side: the value of each of the best trials on each fold, and how much these differ."""

import numpy as np

from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series, named_rows, rows_height_px
from sweep.analysis.report.contents import LEADERS
from sweep.analysis.report.parts import Cell, Part, PartTable
from sweep.analysis.report.sections.history import on_axis
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State
from sweep.storage.text import counted


def part(record: Record) -> Part | None:
    """Returns the part about the folds; None in a sweep without folds, and if no trial was trained on all folds."""
    if record.folds is None:
        return None
    trials = [trial for trial in record.ranked if trial.state == State.COMPLETE and trial.number not in record.damaged]
    results = [(trial, values) for trial in trials[:LEADERS] if (values := _values(record, trial)) is not None]
    if not results:
        return None
    folds, scale = len(results[0][1]), record.metric.scale
    sizes = np.bincount(record.folds).tolist()
    rows = []
    for trial, values in results:
        spread = float(np.std(values, ddof=1))
        cells = [Cell(scale.value(value), value) for value in (trial.value or 0.0, *values)]
        rows.append([Cell(f"{trial.number}", trial.number), *cells, Cell(scale.amount(spread), spread)])
    heads = ["trial", "mean", *(f"fold {fold} ({size:,})" for fold, size in enumerate(sizes, start=1))]
    table = PartTable([*heads, "standard deviation"], [True] * (folds + 3), rows)
    sentence = (
        f"Each trial was trained {folds} times, and each net was judged by the fold that it did not see, at its best "
        "epoch; the value of a trial is the mean. What it is worth and what to predict with is told of the images of "
        "all folds together, which is another number where the metric is no mean over images, such as an AUC or an F1. "
        "In brackets, how many images a fold has. A fold that is low in every row has hard images; a trial whose folds "
        "differ by much depends on which images it was trained on."
    )
    return Part("The folds side by side", [sentence], [_figure(record, results)], table)


def _values(record: Record, trial: TrialRecord) -> list[float] | None:
    """Returns a trial's value on each fold; None if its predictions were not kept, or if a fold has no value alone."""
    logits, metric, labels = trial.valid_logits, record.metric, record.valid_labels
    assert record.folds is not None
    assert metric.value is not None
    if logits is None:
        return None
    parts = [record.folds == fold for fold in range(int(record.folds.max()) + 1)]
    values = [metric.value(labels[part], logits[part]) for part in parts]
    return values if np.isfinite(values).all() else None


def _figure(record: Record, results: list[tuple[TrialRecord, list[float]]]) -> Figure:
    caption = (
        f"The {record.metric.words} of the {counted(len(results), 'best trial')} on each fold, the best on top: the "
        "star is the mean. Where the stars are nearer to each other than the points of a row, the folds differ more "
        "than the trials."
    )
    points = [(value, -row, fold) for row, (_, values) in enumerate(results) for fold, value in enumerate(values, 1)]
    series = (
        Series(
            "among the best",
            [on_axis(record, value) for value, _, _ in points],
            [y for _, y, _ in points],
            "a fold",
            [f"fold {fold}: {record.metric.scale.value(value)}" for value, _, fold in points],
        ),
        Series(
            "best",
            [on_axis(record, trial.value) for trial, _ in results],
            [-row for row in range(len(results))],
            "the mean",
            [f"trial {trial.number}: {record.metric.scale.value(trial.value)}" for trial, _ in results],
        ),
    )
    unit = record.metric.scale.unit.strip()
    title = f"{record.metric.words} ({unit})" if unit else record.metric.words
    names = named_rows([f"trial {trial.number}" for trial, _ in results])
    return Figure("folds", caption, (Chart(Axis(title), names, series, height_px=rows_height_px(len(results)) + 30),))
