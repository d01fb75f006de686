"""Shows the effect of moving the decision threshold between two classes, and the best threshold for the metric."""

import numpy as np

from sweep.analysis.estimates.adjustments import threshold
from sweep.analysis.estimates.adjustments.out_of_fold import out_of_fold
from sweep.analysis.estimates.choice import Choice
from sweep.analysis.estimates.intervals import share_interval
from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series
from sweep.analysis.report.contents import plain
from sweep.analysis.report.parts import Cell, Part, PartTable, interval, share

SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MOST_POINTS = 400  # points of a curve that are drawn


def part(record: Record, choice: Choice | None, shares: np.ndarray) -> Part | None:
    """Returns the curves and a table over the threshold; None if no threshold divides the images.

    Args:
      record: the sweep.
      choice: the ways to predict, and the one that is chosen.
      shares: (N, 2) probabilities of the best trial.
    """
    labels, metric, counts = record.valid_labels, record.metric, np.ones(len(record.valid_labels))
    cuts = threshold.cuts(shares.T, counts)
    if not len(cuts.firsts):
        return None
    suits = threshold.ADJUSTMENT.suits(metric, 2)
    fitted = threshold.fit(metric, labels, shares.T, counts) if suits else threshold.ADJUSTMENT.neutral
    places = sorted({*SHOWN, fitted})
    rows = [_row(record, shares, place, fitted, suits) for place in places]
    positive = plain(record.classes[1])
    heads = ["threshold", f"answers {positive}", "precision", "95 % interval", "recall", "95 % interval"]
    heads += [metric.short] * suits
    table = PartTable(heads, [True] * len(heads), rows, frozenset({places.index(fitted)}))
    figure = _figure(record, cuts, fitted, suits)
    return Part("The decision threshold", [_sentence(record, choice, shares, fitted, suits)], [figure], table)


def _row(record: Record, shares: np.ndarray, place: float, fitted: float, suits: bool) -> list[Cell]:
    labels = record.valid_labels
    probabilities = threshold.ADJUSTMENT.apply(shares.T, place)
    answers = probabilities.argmax(axis=0)
    positive_answers, right, positive_images = int(answers.sum()), int((answers & labels).sum()), int(labels.sum())
    mark = " (fitted)" if suits and place == fitted else ""
    cells = [Cell(f"{place:.3g}{mark}", place), Cell(f"{positive_answers:,}", positive_answers)]
    for total in (positive_answers, positive_images):
        cells += [share(right / total if total else None), interval(*share_interval(right, total))]
    if suits:
        value = _value(record, probabilities)
        cells.append(Cell(record.metric.scale.rounded(value), value) if np.isfinite(value) else Cell("-", ""))
    return cells


def _value(record: Record, probabilities: np.ndarray) -> float:
    assert record.metric.value is not None
    return record.metric.value(record.valid_labels, np.log(np.maximum(probabilities.T, threshold.SMALLEST)))


def _sentence(record: Record, choice: Choice | None, shares: np.ndarray, fitted: float, suits: bool) -> str:
    metric, positive = record.metric, plain(record.classes[1])
    rule = f"An image is answered with {positive} where its probability is above the threshold, by default one half."
    moving = "A lower threshold finds more of its images and is wrong more often; a higher one the other way round."
    if not suits:
        return (
            f"{rule} {moving} The {metric.short} asks for probabilities and not for answers, so no threshold is fitted."
        )
    if fitted == threshold.ADJUSTMENT.neutral:
        return f"{rule} {moving} For {metric.short} no other threshold is better on the validation images."
    best = f"For {metric.short} the best on the validation images is {fitted:.3g}."
    return f"{rule} {moving} {best} {_use(record, choice, shares)}"


def _use(record: Record, choice: Choice | None, shares: np.ndarray) -> str:
    """Returns, in words, whether the fitted threshold is used, and why."""
    scale = record.metric.scale
    if choice is None or not record.ensembles.is_adjusted:
        return "It is not used, for this sweep began before there were thresholds."
    if (adjustment := out_of_fold(record, threshold.ADJUSTMENT)) is None:
        return "It is not used, for so few images cannot tell whether it gains anything."
    options = [option for option in choice.options if not option.is_ensemble and not option.is_averaged]
    adjusted_option = next((option for option in options if option.fitted), None)
    if adjusted_option is None:
        gain = adjustment.gain(shares.T, np.ones(len(shares)))
        amount = f"{scale.change(gain.value)}{scale.difference_unit}" if np.isfinite(gain.value) else "nothing"
        return (
            f"Fitted to the other folds of them than those it is tried on, a threshold gains {amount}, with a standard "
            f"error of {scale.amount(gain.standard_error)}. That is too little to tell from chance, so it is not used."
        )
    use = "best/ keeps it, and it is used" if choice.best_of(False, False) is adjusted_option else "so it is not used"
    return (
        f"Corrected for having been fitted to them, the best trial is worth {scale.change(adjusted_option.gain)}"
        f"{scale.difference_unit} with it (95 % interval {scale.change(adjusted_option.gain_low)} to "
        f"{scale.change(adjusted_option.gain_high)}): {use}."
    )


def _figure(record: Record, cuts: threshold.Cuts, fitted: float, suits: bool) -> Figure:
    labels, metric, positive = record.valid_labels, record.metric, plain(record.classes[1])
    confusions = cuts.confusions(labels, np.ones(len(labels)))
    right, positive_answers, positive_images = (
        confusions[:, 1, 1],
        confusions[:, :, 1].sum(axis=1),
        confusions[:, 1].sum(axis=1),
    )
    places = np.unique(np.linspace(0, len(positive_answers) - 1, min(len(positive_answers), MOST_POINTS)).astype(int))
    x = (100 * cuts.thresholds[places]).tolist()
    curves = {
        "precision": ("second curve", 100 * right / positive_answers),
        "recall": ("curve", 100 * right / positive_images),
    }
    if suits:
        values = metric.sign * threshold.values(metric, labels, cuts, np.ones(len(labels)))
        curves[metric.short] = ("third curve", np.where(np.isfinite(values), metric.scale.factor * values, np.nan))
    series = []
    for name, (look, y) in curves.items():
        curve = [None if np.isnan(value) else float(value) for value in y[places]]
        texts = [
            "" if value is None else f"threshold {place:.1f} %\n{name} {value:.1f}"
            for place, value in zip(x, curve, strict=True)
        ]
        series.append(Series(look, x, curve, name, texts))
    caption = (
        f"Precision and recall of {positive}"
        + (f", and {metric.short}, " if suits else " ")
        + "of the best trial over the threshold. Where a curve is steep, a small move of the threshold costs much."
    )
    if suits and fitted != threshold.ADJUSTMENT.neutral:
        caption += f" The dashed line is the fitted threshold, {100 * fitted:.3g} %."
        series.append(Series("guide", [100 * fitted] * 2, [0, 100], "fitted"))
    axes = Axis(f"probability of {positive} that it takes (%)", span=(-2, 102)), Axis("%")
    return Figure("thresholds", caption, (Chart(*axes, tuple(series)),))
