"""95 % intervals of metrics that are not means of per-image scores, by the Bayesian bootstrap.

Each image gets a random weight from the exponential distribution, so that all ways to divide the total among the images
are equally likely (Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 1981). With these weights alone, whatever
was not seen would be impossible: where all answers are right, no error could happen. So fractions of images that were
never seen are added, half of them answered right and half wrong, as Jeffreys' prior adds half an image of each kind to
a share (Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16, 2001), and as
Goutte and Gaussier do for counts ("A probabilistic interpretation of precision, recall and F-score, with implication
for evaluation", ECIR 2005). Where two candidates are compared, each is right on the added images on which the
other is wrong.

The quantiles of the metric under these weights are moved so that they lie around the estimate that the interval is for.
That is done on the metric's own scale and on the scale of log odds, and at each end the interval takes the one that
reaches further, because close to the least or the greatest value a small correction changes the spread a lot. How
often the intervals contain the truth is simulated in the tests.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from scipy.special import expit, logit

from sweep.analysis.estimates.draws import SEED
from sweep.analysis.estimates.intervals import TAIL

WEIGHTS = 10_000_000  # the largest number of weights, of all images in all draws
MOST_DRAWS, LEAST_DRAWS = 1000, 200
SMALLEST = 1e-9  # the smallest share of the metric's span whose log odds are computed, so that they are finite


class PosteriorScores(ABC):
    """The base class of scores by a metric that can be computed from weighted images; it adds the intervals.

    Attributes:
      labels: (N,) class indices.
      span: the least and the most that a score can be.
    """

    labels: np.ndarray
    span: tuple[float, float]

    @abstractmethod
    def weighted_scores(self, candidates: list[int], weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns (B, Q) scores of candidates under each row of weights, with images added that were never seen.

        Args:
          candidates: the indices of one or two candidates.
          weights: (B, N) weights of the images.
          rng: the source of the weights of the images that were never seen.
        """

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        """Returns the 95 % interval of the score of a candidate.

        Args:
          candidate: its index.
          mean: its score, or the corrected score, around which the interval is put.
        """
        lowest, highest = self.span
        values = self._draw_scores([candidate])[:, 0]
        low, high = _interval_around(values, mean)
        odds = _interval_around(self._log_odds(values), float(self._log_odds(mean)))
        low_of_odds, high_of_odds = (float(lowest + (highest - lowest) * expit(end)) for end in odds)
        return max(lowest, min(low, low_of_odds)), min(highest, max(high, high_of_odds))

    def variance_of_gain(self) -> float:
        """Returns the variance, from the choice of the images, of the difference between two candidates."""
        return float(self._gains.var(ddof=1))

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        """Returns the 95 % interval of the difference between the first and the second of two candidates.

        Args:
          gain: the difference, or the corrected difference, around which the interval is put.
        """
        width = self.span[1] - self.span[0]
        low, high = _interval_around(self._gains, gain)
        return max(-width, low), min(width, high)

    def standard_error(self) -> float:
        """Returns the standard error of the score of the first candidate."""
        return float(self._draw_scores([0]).std(ddof=1))

    def _log_odds(self, values: np.ndarray | float) -> np.ndarray:
        lowest, highest = self.span
        shares = (np.asarray(values) - lowest) / (highest - lowest)
        return np.asarray(logit(np.clip(shares, SMALLEST, 1 - SMALLEST)))

    @cached_property
    def _gains(self) -> np.ndarray:
        return np.subtract(*self._draw_scores([0, 1]).T)

    def _draw_scores(self, candidates: list[int]) -> np.ndarray:
        rng, images = np.random.default_rng(SEED), len(self.labels)
        draws = min(MOST_DRAWS, max(LEAST_DRAWS, WEIGHTS // images))
        weights = rng.standard_exponential((draws, images), np.float32)
        return self.weighted_scores(candidates, weights, rng)


def _interval_around(values: np.ndarray, centre: float) -> tuple[float, float]:
    low, middle, high = np.quantile(values, [TAIL, 0.5, 1 - TAIL])
    return centre - float(middle - low), centre + float(high - middle)
