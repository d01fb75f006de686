"""Shows how well the best trial separates two classes at every threshold: the ROC and precision-recall curves."""

import numpy as np

from sweep.analysis.estimates.rank_scores import RankScores
from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series
from sweep.analysis.report.contents import plain
from sweep.analysis.report.parts import Cell, Part, PartTable
from sweep.trainable.metrics import auc, average_precision
from sweep.trainable.metrics.contract import Metric
from sweep.trainable.metrics.predictions import falling_order

MOST_POINTS = 400  # points of a curve that are drawn
AXES = Axis("false positive rate (%)", span=(-2, 102)), Axis("recall (%)", span=(-2, 103))


def part(record: Record, shares: np.ndarray) -> Part | None:
    """Returns both curves and the areas under them; None if the validation images are all of one class.

    Args:
      record: the sweep.
      shares: (N, 2) probabilities of the best trial.
    """
    labels, positive = record.valid_labels, plain(record.classes[1])
    is_positive = labels == 1
    if is_positive.all() or not is_positive.any():
        return None
    order, ends = falling_order(shares[:, 1])
    true_positives, false_positives = (np.cumsum(mask[order])[ends] for mask in (is_positive, ~is_positive))
    rate, recall, precision = (
        false_positives / false_positives[-1],
        true_positives / true_positives[-1],
        true_positives / (true_positives + false_positives),
    )
    texts = [f"probability above {100 * share:.1f} %" for share in shares[order, 1][ends]]
    figures = [
        _figure(
            "roc",
            f"The ROC curve of the best trial: of the images of {positive} the share that is found, its recall, over "
            f"the share of the others that is taken for {positive}, at every threshold. The further it bends to the "
            "upper left, the better; on the dashed line answers are guesses.",
            Chart(
                *AXES, (Series("guide", [0, 100], [0, 100], "guesses"), _curve([0, *rate], [0, *recall], ["", *texts]))
            ),
        ),
        _figure(
            "precision-recall",
            f"The precision-recall curve of the best trial: of the answers with {positive} the share that is right, "
            f"over the share of the images of {positive} that is found, at every threshold. The higher it stays to the "
            "right, the better; on the dashed line answers are guesses.",
            Chart(
                Axis("recall (%)", span=(-2, 102)),
                Axis("precision (%)", span=(-2, 103)),
                (
                    Series("guide", [0, 100], [100 * is_positive.mean()] * 2, "guesses"),
                    _curve(recall, precision, texts),
                ),
            ),
        ),
    ]
    areas = {"ROC curve (AUC)": auc.METRIC, "precision-recall curve (average precision)": average_precision.METRIC}
    rows = [[Cell(name), *_area(metric, labels, shares)] for name, metric in areas.items()]
    table = PartTable(("area under the", "value", "95 % interval"), (False, True, True), rows)
    sentence = (
        f"Positive is {positive}, the second class in their order. An area of 1 is perfect; of guesses it is 0.5 under "
        f"the ROC curve, and {is_positive.mean():.3f}, the share of {positive}, under the other."
    )
    return Part("The two classes at every threshold", [sentence], figures, table)


def _figure(name: str, caption: str, chart: Chart) -> Figure:
    return Figure(name, caption, (chart,))


def _area(metric: Metric, labels: np.ndarray, shares: np.ndarray) -> list[Cell]:
    assert metric.ranks is not None
    scores = RankScores(metric.ranks, labels, [shares])
    value = float(scores.everywhere()[0])
    low, high = scores.interval(0, value)
    return [Cell(f"{value:.4f}", value), Cell(f"{low:.4f} to {high:.4f}", low)]


def _curve(x: np.ndarray | list[float], y: np.ndarray | list[float], texts: list[str]) -> Series:
    """Returns a curve in percent, with at most `MOST_POINTS` of its points, spread evenly along the curve."""
    x, y = 100 * np.array(x), 100 * np.array(y)
    places = np.arange(len(x))
    if len(x) > MOST_POINTS:
        distances = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        places = np.unique(np.searchsorted(distances, np.linspace(0, distances[-1], MOST_POINTS)))
    shown_texts = [f"{texts[place]}\n{x[place]:.1f} %, {y[place]:.1f} %" for place in places]
    return Series("curve", x[places].tolist(), y[places].tolist(), "the best trial", shown_texts)
