"""95 % intervals of metrics that are no means of per-image scores: the Bayesian bootstrap, with images never seen.

The images that were seen get random weights, exponential ones, which share out the whole in all ways alike (Rubin, "The
Bayesian bootstrap", Annals of Statistics 9, 1981). They alone say that what was not seen does not happen: of answers
that are all right they know no error. So parts of images are added that no one has seen, half of them answered right
and half wrong, as Jeffreys' prior adds half an image of each kind to a share (Brown, Cai and DasGupta, "Interval
estimation for a binomial proportion", Statistical Science 16, 2001) and as Goutte and Gaussier do for counts ("A
probabilistic interpretation of precision, recall and F-score, with implication for evaluation", ECIR 2005). In a
comparison the first has right what the second has wrong, and the other way round.

The quantiles of the metric under these weights are moved to the estimate that the interval is for, as they are and on
the scale of log odds, and at either end the one counts that reaches further: near the ends of what a metric can be a
small correction changes the spread a lot. How often they hold the truth is simulated in the tests.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from scipy.special import expit, logit

from sweep.analysis.estimates.draws import SEED
from sweep.analysis.estimates.intervals import TAIL

WEIGHTS = 10_000_000  # of all images in all draws, at most
MOST_DRAWS, LEAST_DRAWS = 1000, 200
SMALLEST = 1e-9  # part of what a metric can be, whose log odds are a number


class PosteriorScores(ABC):
    """Intervals of candidates whose metric can be computed of weighted images."""

    labels: np.ndarray
    span: tuple[float, float]

    @abstractmethod
    def under(self, candidates: list[int], weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(B, Q): the score of each of one or two candidates under each row of weights, with images never seen.

        Args:
          weights: (B, N).
        """

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        """The 95 % interval of the score of a candidate.

        Args:
          mean: its score, or what was corrected of it.
        """
        least, most = self.span
        values = self._drawn([candidate])[:, 0]
        low, high = _moved(values, mean)
        odds = _moved(self._log_odds(values), float(self._log_odds(mean)))
        low_of_odds, high_of_odds = (float(least + (most - least) * expit(end)) for end in odds)
        return max(least, min(low, low_of_odds)), min(most, max(high, high_of_odds))

    def variance_of_gain(self) -> float:
        """The variance, by the images, of what the first of two candidates is better by."""
        return float(self._gains.var(ddof=1))

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        """The 95 % interval of that.

        Args:
          gain: what the first is better by, corrected.
        """
        width = self.span[1] - self.span[0]
        low, high = _moved(self._gains, gain)
        return max(-width, low), min(width, high)

    def standard_error(self) -> float:
        """The standard error of the score of the first candidate."""
        return float(self._drawn([0]).std(ddof=1))

    def _log_odds(self, values: np.ndarray | float) -> np.ndarray:
        least, most = self.span
        shares = (np.asarray(values) - least) / (most - least)
        return np.asarray(logit(np.clip(shares, SMALLEST, 1 - SMALLEST)))

    @cached_property
    def _gains(self) -> np.ndarray:
        return np.subtract(*self._drawn([0, 1]).T)

    def _drawn(self, candidates: list[int]) -> np.ndarray:
        rng, images = np.random.default_rng(SEED), len(self.labels)
        draws = min(MOST_DRAWS, max(LEAST_DRAWS, WEIGHTS // images))
        weights = rng.standard_exponential((draws, images), np.float32)
        return self.under(candidates, weights, rng)


def _moved(values: np.ndarray, to: float) -> tuple[float, float]:
    low, middle, high = np.quantile(values, [TAIL, 0.5, 1 - TAIL])
    return to - float(middle - low), to + float(high - middle)
