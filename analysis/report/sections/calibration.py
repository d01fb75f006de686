"""Shows how far the confidence of the best trial can be trusted, as it is and after temperature scaling.

Each fold of the validation predictions is scaled by a temperature that was fitted to the other folds
(`analysis.estimates.adjustments.out_of_fold`), because on the images to which it was fitted the temperature would look
better than it is.
"""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.estimates.adjustments import out_of_fold, temperature
from sweep.analysis.estimates.intervals import share_interval
from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series
from sweep.analysis.report.parts import Cell, Part, PartTable
from sweep.storage.text import counted
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.metrics.log_loss import SMALLEST

BINS = 10  # of confidence, of equal width
WELL = 0.01  # the largest mean difference between probability and accuracy of a well calibrated model


@dataclass(frozen=True)
class Bin:
    """The images whose predicted class has a probability in one bin.

    Attributes:
      images: how many images there are, one at least.
      confidence: the mean of their probabilities.
      accuracy: the share of these images that are right.
      low, high: the 95 % interval of this share.
    """

    images: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """The calibration of some probabilities.

    Attributes:
      bins: the bins that hold images.
      error: the expected calibration error: the mean, over the images, of the gap between confidence and accuracy in
        their bin.
      loss: the log loss.
    """

    bins: list[Bin]
    error: float
    loss: float


def calibration(shares: np.ndarray, labels: np.ndarray) -> Calibration:
    """Returns the calibration of some probabilities.

    Args:
      shares: (N, classes) probabilities.
      labels: (N,) class indices.
    """
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for index in np.unique(place):
        is_inside = place == index
        images, hits = int(is_inside.sum()), int(right[is_inside].sum())
        bins.append(Bin(images, float(confidence[is_inside].mean()), hits / images, *share_interval(hits, images)))
    error = sum(each.images * abs(each.accuracy - each.confidence) for each in bins) / len(labels)
    loss = -np.log(np.maximum(shares[np.arange(len(labels)), labels], SMALLEST)).mean()
    return Calibration(bins, error, float(loss))


def part(record: Record, logits: np.ndarray) -> Part:
    """Returns the part about the calibration of the best trial, before and after temperature scaling.

    Args:
      record: the sweep.
      logits: (N, classes) logits of the best trial.
    """
    labels, shares = record.valid_labels, softmax(logits.astype(np.float64))
    before = calibration(shares, labels)
    scaled_shares = out_of_fold.scaled(record, shares)
    if scaled_shares is None:  # there are too few images to divide them into folds
        return Part("", [sentence(before)], [figure(before, None)])
    after, number = calibration(scaled_shares, labels), temperature.fit(None, labels, shares.T, np.ones(len(labels)))
    rows = [_row("as it is", before), _row("with temperature scaling", after)]
    heads = ("the best trial", "expected calibration error", "log loss")
    text = [sentence(before), _scaled_sentence(record, before, after, number)]
    return Part("", text, [figure(before, after)], PartTable(heads, (False, True, True), rows))


def _row(name: str, result: Calibration) -> list[Cell]:
    error = Cell(f"{100 * result.error:.1f} points", result.error)
    return [Cell(name), error, Cell(f"{result.loss:.4f}", result.loss)]


def sentence(result: Calibration) -> str:
    """Returns in words how large the calibration error is, and in which direction."""
    images = sum(each.images for each in result.bins)
    confidence = sum(each.images * each.confidence for each in result.bins) / images
    accuracy = sum(each.images * each.accuracy for each in result.bins) / images
    gap = confidence - accuracy
    way = "about as confident as" if abs(gap) < WELL else ("more confident than" if gap > 0 else "more cautious than")
    return (
        f"On average the best trial gives its answers a probability of {100 * confidence:.1f} %, and "
        f"{100 * accuracy:.1f} % of them are right: it is {way} it should be. The expected calibration error, the mean "
        f"gap between the two over {BINS} bins of probability, is {100 * result.error:.1f} points."
    )


def _scaled_sentence(record: Record, before: Calibration, after: Calibration, number: float) -> str:
    suits = temperature.ADJUSTMENT.suits(record.metric, len(record.classes))
    use = (
        "Probabilities are given with it wherever the table of what to predict with says so."
        if suits
        else f"The probabilities are not changed by it, for the search was for {record.metric.short}."
    )
    better = "better" if after.loss < before.loss else "no better"
    return (
        f"Temperature scaling divides all logits by one number, which changes the probabilities and no answer: by "
        f"{number:.2f}, where all validation images fit it. Fitted to the other folds of them than those it is "
        f"measured on, it makes the log loss {better}. {use}"
    )


def figure(before: Calibration, after: Calibration | None) -> Figure:
    """Returns the calibration curve, before and (if there is one) after temperature scaling."""
    caption = (
        "How often the best trial is right when it gives its answer so much probability, with 95 % intervals. On the "
        "dashed line the two agree; below it the trial is too confident, above it too cautious."
    )
    series = [Series("guide", [0, 100], [0, 100], "as it should be"), _points("measured", "the best trial", before)]
    if after is not None:
        caption += " The diamonds are after temperature scaling, which helps where they are nearer to the line."
        series.append(_points("second", "with temperature scaling", after))
    axes = Axis("probability given to the answer (%)", span=(0, 103)), Axis("answers that are right (%)", span=(0, 103))
    return Figure("calibration", caption, (Chart(*axes, tuple(series)),))


def _points(look: str, name: str, result: Calibration) -> Series:
    texts = [
        f"{counted(each.images, 'image')}\n{100 * each.confidence:.0f} % sure, {100 * each.accuracy:.0f} % right"
        for each in result.bins
    ]
    return Series(
        look,
        [100 * each.confidence for each in result.bins],
        [100 * each.accuracy for each in result.bins],
        name,
        texts,
        [(100 * each.low, 100 * each.high) for each in result.bins],
    )
