"""The figures of a sweep, as PNG."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.contents import LEADERS, METRIC_WORDS, baselines, confusion, importances
from analysis.record import Record, TrialRecord
from trainable.metrics import METRICS

BLUE, DARK, PALE, RED, ORANGE = "#3b6fb6", "#1b2f4b", "#c3c9d1", "#c8442f", "#e0912f"
STATE_COLOURS = {"COMPLETE": BLUE, "PRUNED": PALE, "FAIL": RED, "RUNNING": ORANGE}
MOST_NUMBERED = 12  # classes of a confusion matrix with its counts written in
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e9ebee",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "text.parse_math": False,  # a `$` in a class name is a `$`
}


def draw(record: Record) -> dict[str, bytes]:
    """The figures for which there is something to show, by file name."""
    drawn = {}
    with matplotlib.rc_context(STYLE):
        for name, make in FIGURES.items():
            figure = make(record)
            if figure is not None:
                png = io.BytesIO()
                figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
                drawn[name] = png.getvalue()
    return drawn


def _history(record: Record) -> Figure | None:
    """The value of each trial, and the best so far of the COMPLETE ones."""
    figure, axes = _figure(4.2)
    for state, colour in STATE_COLOURS.items():
        shown = [trial for trial in record.trials if trial.state == state]
        numbers = [trial.number for trial in shown if trial.value is not None]
        if numbers:
            axes.scatter(numbers, _values(shown), s=28, color=colour, label=state, zorder=2)
        if state == "FAIL" and shown:  # they have no value: along the lower edge
            numbers, edge = [trial.number for trial in shown], axes.get_xaxis_transform()
            axes.scatter(numbers, [0.02] * len(numbers), s=36, color=colour, marker="x", label=state, transform=edge)
    complete = [trial for trial in record.trials if trial.state == "COMPLETE"]
    if complete:
        best = (np.minimum if record.metric == "loss" else np.maximum).accumulate(_values(complete))
        steps = [*(trial.number for trial in complete), record.trials[-1].number]
        axes.step(steps, [*best, best[-1]], where="post", color=DARK, lw=1.6, label="best so far", zorder=1)
    rings = [trial for trial in baselines(record) if trial.value is not None]
    if rings:
        numbers = [trial.number for trial in rings]
        axes.scatter(numbers, _values(rings), s=90, facecolors="none", edgecolors=DARK, label="baseline", zorder=3)
    return _finished(record, figure, axes, "trial")


def _curves(record: Record) -> Figure | None:
    """The metric over the epochs: the best COMPLETE trials, with the PRUNED ones behind them."""
    leaders = [trial for trial in record.ranked if trial.state == "COMPLETE"][:LEADERS]
    pruned = [trial for trial in record.trials if trial.state == "PRUNED"]
    figure, axes = _figure(4.2)
    labels = set()
    for trial in [*pruned, *leaders[::-1]]:
        values = [epoch[METRICS[record.metric]] for epoch in trial.history]
        if not values:
            continue
        if trial.state == "PRUNED":
            label, colour, width = "PRUNED", PALE, 1.0
        elif trial is leaders[0]:
            label, colour, width = f"best, trial {trial.number}", DARK, 2.4
            axes.plot(trial.best_epoch, values[trial.best_epoch - 1], "o", color=DARK, ms=8, zorder=3)
        else:
            label, colour, width = f"next {len(leaders) - 1} COMPLETE", BLUE, 1.3
        marker = "." if len(values) == 1 else None  # a single epoch makes no line
        name = label if label not in labels else None
        axes.plot(range(1, len(values) + 1), values, color=colour, lw=width, marker=marker, label=name)
        labels.add(label)
    return _finished(record, figure, axes, "epoch")


def _importances(record: Record) -> Figure | None:
    """The share of each parameter, the largest on top."""
    found, _ = importances(record)
    if not found:
        return None
    figure, axes = _figure(1.1 + 0.3 * len(found))
    bars = axes.barh([_short(name) for name in found], list(found.values()), color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=10)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("importance (the shares add up to 1)")
    return figure


def _confusion(record: Record) -> Figure | None:
    """Of the best trial at its best epoch; each row, a true class, adds up to 1 in colour."""
    matrix = confusion(record, record.best) if record.best else None
    if matrix is None:
        return None
    size = len(matrix)
    figure, axes = _figure(min(5.6, 2.2 + 0.5 * size))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    step = max(1, size // 20)
    places, names = range(0, size, step), [_short(label) for label in record.classes[::step]]
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(places, names)
    if size <= MOST_NUMBERED:
        for row, column in np.ndindex(size, size):
            colour = "white" if shares[row, column] > 0.5 else DARK
            axes.text(column, row, f"{matrix[row, column]}", ha="center", va="center", color=colour)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    scale = axes.inset_axes((1.03, 0, 0.04, 1))  # as high as the matrix
    figure.colorbar(image, cax=scale, label="share of the true class")
    return figure


def _values(trials: list[TrialRecord]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]


def _finished(record: Record, figure: Figure, axes: Axes, x_label: str) -> Figure | None:
    """With the metric on the y axis, whole numbers on the x axis, and the legend above; None if nothing is drawn."""
    if not axes.has_data():
        return None
    axes.set_xlabel(x_label)
    axes.set_ylabel(METRIC_WORDS[record.metric])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _figure(height_inches: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, height_inches), layout="constrained")
    return figure, figure.add_subplot()


def _short(name: str) -> str:
    return name if len(name) <= 20 else name[:19] + "…"


FIGURES: dict[str, Callable[[Record], Figure | None]] = {
    "history.png": _history,
    "learning-curves.png": _curves,
    "importances.png": _importances,
    "confusion.png": _confusion,
}
