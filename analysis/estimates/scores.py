"""How well candidates do on the validation images, and on draws of them, by the metric of a sweep.

A metric that is a mean of per-image scores is one product of matrices for all draws, `Scores`. Any other is computed
anew for each draw from the kept predictions. How uncertain it is has two parts: how much it differs between the draws,
the bootstrap's standard error (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993), and twice what a single
image can change, for draws of images that are all right never differ, but the next image need not be right. With it the
interval of 60 images that are all right is about as wide as that of Clopper and Pearson.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import stdtrit

from analysis.estimates.intervals import TAIL, Sample, sample, sample_of
from analysis.record import Record
from trainable.metrics.contract import Metric
from trainable.metrics.log_loss import SMALLEST

DRAWS = 1000  # of a metric that is a mean of per-image scores
SEED = 20180509
BLOCK = 256  # candidates whose scores are float32 at a time
MOST_DRAWS = 200  # of a metric that is computed anew for each
MOST_CLASSES = 20  # of which an image each is turned around


@dataclass(frozen=True)
class Scores:
    """How well each of some candidates does on each image; the larger the better.

    Attributes:
      of: (P, N) numbers: whether a candidate has an image right, or minus its loss.
      sample: of the images; the score of a candidate is the mean over its strata of the mean in each.
    """

    of: np.ndarray
    sample: Sample
    most_draws: ClassVar[int] = DRAWS

    def means(self, weights: np.ndarray) -> np.ndarray:
        """(B, P): the score of each candidate under each row of weights."""
        blocks = [self.of[start : start + BLOCK] for start in range(0, len(self.of), BLOCK)]
        return np.concatenate([weights @ block.T.astype(np.float32) for block in blocks], axis=1)

    def everywhere(self) -> np.ndarray:
        """(P,): the score of each candidate on all images, exact where scores are whole numbers: equals are equal."""
        return np.mean([self.of[:, images].mean(axis=1, dtype=np.float64) for images in self.sample.strata], axis=0)

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """(B, P): the score of each candidate on each draw.

        Args:
          counts: (B, N), of `draws`.
        """
        return self.means(self.sample.weights(counts))

    def on_left_out(self, counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """(B,): for each draw the score, on the images that were not drawn, of the candidate chosen in it.

        Args:
          chosen: (B,) candidates.
        """
        weights = self.sample.weights(counts == 0)
        return np.array([row @ self.of[candidate] for row, candidate in zip(weights, chosen, strict=True)])

    @property
    def span(self) -> tuple[float, float]:
        """The least and the most that a score can be."""
        return (0.0, 1.0) if self.sample.guess_loss is None else (-np.inf, 0.0)

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        """The 95 % interval of the mean score of a candidate.

        Args:
          mean: its own, or what was corrected of it.
        """
        of_image = self.of[candidate]
        if self.sample.guess_loss is None:
            return self.sample.interval(of_image, mean)
        low, high = self.sample.interval(-of_image, -mean)  # a score is minus the loss
        return -high, -low

    def variance_of_gain(self) -> float:
        """The variance, by the images, of what the first of two candidates, of float scores, is better by."""
        return self.sample.variance_of_difference(self.of[0] - self.of[1])

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        """The 95 % interval of that.

        Args:
          gain: what the first is better by, corrected.
        """
        return self.sample.interval_of_difference(gain, self.variance_of_gain())

    def standard_error(self) -> float:
        """The standard error of the mean score of the first candidate."""
        return self.sample.standard_error(self.of[0] if self.sample.guess_loss is None else -self.of[0])


@dataclass(frozen=True, eq=False)
class DrawnScores:
    """As `Scores`, of a metric that is no mean of per-image scores.

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

    def on_left_out(self, counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        pairs = zip(counts, chosen, strict=True)
        return np.array([self._value(self.logits[candidate], row == 0) for row, candidate in pairs])

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
        return self._on_drawn(draws(len(self.labels), self.most_draws))

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


def draws(images: int, times: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """(B, images) uint8: how often each image is drawn with replacement, as many in all as there are images.

    B is `times`, less the draws of a handful of images that leave none out.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, images, (times, images))
    drawn += images * np.arange(times)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=times * images).reshape(times, images).astype(np.uint8)
    return counts[(counts == 0).any(axis=1)]


Scored = Scores | DrawnScores  # how well each of some candidates does, the larger the better, by whatever metric


def scores_of(record: Record, logits: Sequence[np.ndarray]) -> Scored:
    """How well candidates do by the metric of a sweep.

    Args:
      logits: (N, classes), of each candidate.
    """
    metric, labels = record.metric, record.valid_labels
    if metric.images is None:
        return DrawnScores(metric, labels, logits)
    return Scores(np.stack([metric.images.of_logits(labels, each) for each in logits]), sample_of(record))


def scores_of_images(record: Record, labels: np.ndarray, logits: Sequence[np.ndarray]) -> Scored:
    """The same on other images than those for validation.

    Args:
      labels: (N,) class indices.
    """
    metric = record.metric
    if metric.images is None:
        return DrawnScores(metric, labels, logits)
    of = np.stack([metric.images.of_logits(labels, each) for each in logits])
    return Scores(of.astype(float), sample(metric, labels, len(record.classes)))


def scores_of_probabilities(record: Record, probabilities: Sequence[np.ndarray], dtype: type | None = None) -> Scored:
    """The same of (classes, N) probabilities of each candidate.

    Args:
      dtype: of the scores of single images; None for that in which they are computed.
    """
    images, labels = record.metric.images, record.valid_labels
    if images is None:
        return scores_of(record, [np.log(np.maximum(each.T, SMALLEST)) for each in probabilities])
    of = np.stack([images.of_probabilities(labels, each) for each in probabilities])
    return Scores(of.astype(dtype or of.dtype), sample_of(record))
