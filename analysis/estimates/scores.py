"""How well candidates do on the validation images, and on draws of them, by the metric of a sweep.

A metric that is a mean of per-image scores is one product of matrices for all draws, `analysis.estimates.honest`. Any
other is computed anew for each draw from the kept predictions. What is uncertain about it is how much it differs
between the draws: the bootstrap's standard error (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import stdtrit

from analysis.estimates.honest import Scored, Scores, draws
from analysis.estimates.intervals import TAIL, sample_of
from analysis.record import Record
from trainable.metrics.contract import Metric
from trainable.metrics.loss import SMALLEST

MOST_DRAWS = 200  # of a metric that is computed anew for each


@dataclass(frozen=True, eq=False)
class DrawnScores:
    """As `analysis.estimates.honest.Scores`, of a metric that is no mean of per-image scores.

    Where the metric makes no number of a draw, for example because a class is missing, the candidate is the worst in
    that draw, and the draw counts in no mean.

    Attributes:
      labels: (N,) class indices.
      logits: (N, classes), of each candidate.
    """

    metric: Metric
    labels: np.ndarray
    logits: Sequence[np.ndarray]
    most_draws: ClassVar[int] = MOST_DRAWS
    span: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    def _value(self, candidate: int, images: np.ndarray) -> float:
        """On these images, the larger the better; NaN where there is none."""
        assert self.metric.value is not None
        try:
            return self.metric.sign * self.metric.value(self.labels[images], self.logits[candidate][images])
        except ValueError:  # what a library raises where, for example, a single class is left
            return np.nan

    def everywhere(self) -> np.ndarray:
        every = np.arange(len(self.labels))
        return np.array([self._value(candidate, every) for candidate in range(len(self.logits))])

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        return np.nan_to_num(self._on_drawn(counts), nan=-np.inf, posinf=np.inf, neginf=-np.inf)

    def _on_drawn(self, counts: np.ndarray) -> np.ndarray:
        drawn = [np.repeat(np.arange(len(self.labels)), row) for row in counts]
        values = [[self._value(each, images) for each in range(len(self.logits))] for images in drawn]
        return np.array(values).reshape(len(counts), len(self.logits))  # also where there are no draws

    def on_left_out(self, counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        pairs = zip(counts, chosen, strict=True)
        return np.array([self._value(candidate, np.flatnonzero(row == 0)) for row, candidate in pairs])

    @cached_property
    def _drawn(self) -> np.ndarray:
        return self._on_drawn(draws(len(self.labels), self.most_draws))

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        return self._interval(_spread(self._drawn[:, candidate]), mean)

    def variance_of_gain(self) -> float:
        return _spread(self._drawn[:, 0] - self._drawn[:, 1]) ** 2

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        return self._interval(self.variance_of_gain() ** 0.5, gain)

    def standard_error(self) -> float:
        return _spread(self._drawn[:, 0])

    def _interval(self, spread: float, mean: float) -> tuple[float, float]:
        margin = float(stdtrit(max(1, len(self.labels) - 1), 1 - TAIL)) * spread
        return mean - margin, mean + margin


def _spread(of_draws: np.ndarray) -> float:
    """The standard deviation over the draws; infinite where there are not two to tell it."""
    values = of_draws[np.isfinite(of_draws)]
    return float(values.std(ddof=1)) if len(values) > 1 else np.inf


def scores_of(record: Record, logits: Sequence[np.ndarray]) -> Scored:
    """How well candidates do by the metric of a sweep.

    Args:
      logits: (N, classes), of each candidate.
    """
    metric, labels = record.metric, record.valid_labels
    if metric.images is None:
        return DrawnScores(metric, labels, logits)
    return mean_scores(record, np.stack([metric.images.of_logits(labels, each) for each in logits]))


def scores_of_probabilities(record: Record, probabilities: Sequence[np.ndarray], dtype: type | None = None) -> Scored:
    """The same of (classes, N) probabilities of each candidate.

    Args:
      dtype: of the scores of single images; None for that in which they are computed.
    """
    metric, labels = record.metric, record.valid_labels
    if metric.images is None:
        return DrawnScores(metric, labels, [np.log(np.maximum(each.T, SMALLEST)) for each in probabilities])
    of = np.stack([metric.images.of_probabilities(labels, each) for each in probabilities])
    return mean_scores(record, of.astype(dtype or of.dtype))


def mean_scores(record: Record, of: np.ndarray) -> Scores:
    """The same of (P, N) scores of single images, for a metric that is their mean."""
    sample = sample_of(record)
    return Scores(of, sample.strata, sample.guess_loss)
