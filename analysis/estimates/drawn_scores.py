"""How well candidates do by a metric of which nothing is known but its value: computed anew for each draw.

How uncertain it is has two parts: how much it differs between the draws, the bootstrap's standard error (Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993), and twice what a single image can change, for draws of images
that are all right never differ, but the next image need not be right. With it the interval of 60 images that are all
right is about as wide as that of Clopper and Pearson.
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
MOST_CLASSES = 20  # of which an image each is turned around


@dataclass(frozen=True, eq=False)
class DrawnScores:
    """How well each of some candidates does, from its logits.

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

    def _value(self, logits: np.ndarray, images: np.ndarray | slice = slice(None)) -> float:
        """On these images, the larger the better; NaN where there is none."""
        assert self.metric.value is not None
        try:
            return self.metric.sign * self.metric.value(self.labels[images], logits[images])
        except ValueError:  # what a library raises where, for example, a single class is left
            return np.nan

    def everywhere(self) -> np.ndarray:
        return np.array([self._value(logits) for logits in self.logits])

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        return np.nan_to_num(self._on_drawn(counts), nan=-np.inf, posinf=np.inf, neginf=-np.inf)

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """The mean score, on the images that were not drawn, of what was chosen in each draw."""
        pairs = zip(counts, chosen, strict=True)
        return mean_of_finite(np.array([self._value(self.logits[candidate], row == 0) for row, candidate in pairs]))

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        return self._interval(self._spread(self._drawn[:, candidate]), mean)

    def variance_of_gain(self) -> float:
        return self._spread(self._drawn[:, 0] - self._drawn[:, 1]) ** 2

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        return self._interval(self.variance_of_gain() ** 0.5, gain)

    def standard_error(self) -> float:
        return self._spread(self._drawn[:, 0])

    @cached_property
    def _drawn(self) -> np.ndarray:
        return self._on_drawn(draws(len(self.labels), self.most_draws, size=1))

    def _on_drawn(self, counts: np.ndarray) -> np.ndarray:
        drawn = [np.repeat(np.arange(len(self.labels)), row) for row in counts]
        values = [[self._value(logits, images) for logits in self.logits] for images in drawn]
        return np.array(values).reshape(len(counts), len(self.logits))  # also where there are no draws

    def _interval(self, spread: float, mean: float) -> tuple[float, float]:
        margin = float(stdtrit(max(1, len(self.labels) - 1), 1 - TAIL)) * spread
        return mean - margin, mean + margin

    def _spread(self, of_draws: np.ndarray) -> float:
        """The standard error of what has these values in the draws; infinite where there are not two of them."""
        values = of_draws[np.isfinite(of_draws)]
        return float(np.hypot(values.std(ddof=1), 2 * self._of_one_image)) if len(values) > 1 else np.inf

    @cached_property
    def _of_one_image(self) -> float:
        """How much the first candidate's value changes at most where one image's answer is turned around."""
        logits, before = self.logits[0], self._value(self.logits[0])
        changes = [0.0]
        for image in np.unique(self.labels, return_index=True)[1][:MOST_CLASSES]:
            label, answer = self.labels[image], logits[image].argmax()
            turned = logits.copy()
            turned[image] = np.roll(logits[image], 1 if answer == label else label - answer)
            changes.append(abs(self._value(turned) - before))
        return float(np.nanmax(changes))
