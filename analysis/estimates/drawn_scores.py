"""Scores of candidates by a metric of which nothing is known but its value, which is computed anew for each draw.

The uncertainty of a value has two parts. The first is how much the value differs between the draws, which is the
bootstrap's standard error (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993). The second is twice the
change that a single image can make: if all images are right, all draws have the same value, although the next image
may be wrong. With the second part, the interval of 60 images that are all right is about as wide as that of Clopper
and Pearson.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import stdtrit

from sweep.analysis.estimates.draws import draws, mean_of_finite
from sweep.analysis.estimates.intervals import TAIL
from sweep.trainable.metrics.contract import Metric

MOST_DRAWS = 200
MOST_CLASSES = 20  # the most classes of which one image's answer is changed, to see how much the value changes


@dataclass(frozen=True, eq=False)
class DrawnScores:
    """The scores of P candidates, computed from their logits; see `scores.Scored`.

    Where the metric has no value for a draw, for example because a class is missing, the candidate is the worst one in
    that draw, and the draw does not count in means.

    Attributes:
      metric: the metric, of which only `value` is used.
      labels: (N,) class indices.
      logits: (N, classes) logits of each candidate.
    """

    metric: Metric
    labels: np.ndarray
    logits: Sequence[np.ndarray]
    most_draws: ClassVar[int] = MOST_DRAWS
    span: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    def _value(self, logits: np.ndarray, images: np.ndarray | slice = slice(None)) -> float:
        """Returns the score on some images, the larger the better; NaN where the metric has no value."""
        assert self.metric.value is not None
        try:
            return self.metric.sign * self.metric.value(self.labels[images], logits[images])
        except ValueError:  # libraries raise it, for example, where the images have only one class
            return np.nan

    def everywhere(self) -> np.ndarray:
        """Returns (P,) scores, one for each candidate, on all images."""
        return np.array([self._value(logits) for logits in self.logits])

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """Returns (B, P) scores on (B, N) draws; minus infinity where the metric has no value."""
        return np.nan_to_num(self._score_draws(counts), nan=-np.inf, posinf=np.inf, neginf=-np.inf)

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """Returns the mean over the draws of the chosen candidate's score on the images that were not drawn.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
          chosen: (B,) the index of the candidate that was chosen on each draw.
        """
        pairs = zip(counts, chosen, strict=True)
        return mean_of_finite(np.array([self._value(self.logits[candidate], row == 0) for row, candidate in pairs]))

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        """Returns the 95 % interval, around `mean`, of the score of a candidate."""
        return self._interval(self._spread(self._scores_on_draws[:, candidate]), mean)

    def variance_of_gain(self) -> float:
        """Returns the variance, from the choice of the images, of the difference between two candidates."""
        return self._spread(self._scores_on_draws[:, 0] - self._scores_on_draws[:, 1]) ** 2

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        """Returns the 95 % interval, around `gain`, of the difference between two candidates."""
        return self._interval(self.variance_of_gain() ** 0.5, gain)

    def standard_error(self) -> float:
        """Returns the standard error of the score of the first candidate."""
        return self._spread(self._scores_on_draws[:, 0])

    @cached_property
    def _scores_on_draws(self) -> np.ndarray:
        return self._score_draws(draws(len(self.labels), self.most_draws, size=1))

    def _score_draws(self, counts: np.ndarray) -> np.ndarray:
        drawn_images = [np.repeat(np.arange(len(self.labels)), row) for row in counts]
        values = [[self._value(logits, images) for logits in self.logits] for images in drawn_images]
        return np.array(values).reshape(len(counts), len(self.logits))  # without draws the array has no second axis

    def _interval(self, spread: float, mean: float) -> tuple[float, float]:
        margin = float(stdtrit(max(1, len(self.labels) - 1), 1 - TAIL)) * spread
        return mean - margin, mean + margin

    def _spread(self, values: np.ndarray) -> float:
        """Returns the standard error of a number with these values on draws; infinite if fewer than two are finite."""
        finite = values[np.isfinite(values)]
        return float(np.hypot(finite.std(ddof=1), 2 * self._largest_change)) if len(finite) > 1 else np.inf

    @cached_property
    def _largest_change(self) -> float:
        """The largest change of the first candidate's score when one image's answer is changed.

        A right answer is made wrong, and a wrong one right, for the first image of each class.
        """
        logits, value = self.logits[0], self._value(self.logits[0])
        changes = [0.0]
        for image in np.unique(self.labels, return_index=True)[1][:MOST_CLASSES]:
            label, answer = self.labels[image], logits[image].argmax()
            changed_logits = logits.copy()
            changed_logits[image] = np.roll(logits[image], 1 if answer == label else label - answer)
            changes.append(abs(self._value(changed_logits) - value))
        return float(np.nanmax(changes))
