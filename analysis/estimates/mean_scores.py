"""Scores of candidates by a metric that is a mean of per-image scores, for all draws in one product of matrices."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sweep.analysis.estimates.draws import DRAWS, mean_of_finite
from sweep.analysis.estimates.intervals import WeightedImages

BLOCK = 256  # candidates whose scores are converted to float32 at a time


@dataclass(frozen=True)
class MeanScores:
    """The scores of P candidates by a metric that is a mean of per-image scores; see `scores.Scored`.

    Attributes:
      of: (P, N) the score of each candidate on each image: whether the answer is right, or minus the loss.
      sample: the images; the score of a candidate is the mean over their strata of the mean within each.
    """

    of: np.ndarray
    sample: WeightedImages
    most_draws: ClassVar[int] = DRAWS

    def means(self, weights: np.ndarray) -> np.ndarray:
        """Returns (B, P) scores, one for each row of weights and candidate.

        Args:
          weights: (B, N), how much each image counts; each row adds up to 1.
        """
        blocks = [self.of[start : start + BLOCK] for start in range(0, len(self.of), BLOCK)]
        return np.concatenate([weights @ block.T.astype(np.float32) for block in blocks], axis=1)

    def everywhere(self) -> np.ndarray:
        """Returns (P,) scores on all images.

        They are exact where the scores of images are whole numbers, so that equally good candidates are equal.
        """
        return np.mean([self.of[:, images].mean(axis=1, dtype=np.float64) for images in self.sample.strata], axis=0)

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """Returns (B, P) scores, one for each draw and candidate, on the images drawn.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
        """
        return self.means(self.sample.weights(counts))

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """Returns the mean over the draws of the chosen candidate's score on the images that were not drawn.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
          chosen: (B,) the index of the candidate that was chosen on each draw.
        """
        weights = self.sample.weights(counts == 0)
        scores = [row @ self.of[candidate] for row, candidate in zip(weights, chosen, strict=True)]
        return mean_of_finite(np.array(scores))

    @property
    def span(self) -> tuple[float, float]:
        """The least and the most that a score can be."""
        return (0.0, 1.0) if self.sample.guess_loss is None else (-np.inf, 0.0)

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        """Returns the 95 % interval of the mean score of a candidate.

        Args:
          candidate: its index.
          mean: its score, or the corrected score, around which the interval is put.
        """
        scores = self.of[candidate]
        if self.sample.guess_loss is None:
            return self.sample.interval(scores, mean)
        low, high = self.sample.interval(-scores, -mean)  # a score is minus the loss
        return -high, -low

    def variance_of_gain(self) -> float:
        """Returns the variance, from the choice of the images, of the difference between two candidates.

        The scores in `of` must be floats.
        """
        return self.sample.variance_of_difference(self.of[0] - self.of[1])

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        """Returns the 95 % interval of the difference between the first and the second of two candidates.

        Args:
          gain: the difference, or the corrected difference, around which the interval is put.
        """
        return self.sample.interval_of_difference(gain, self.variance_of_gain())

    def standard_error(self) -> float:
        """Returns the standard error of the mean score of the first candidate."""
        return self.sample.standard_error(self.of[0] if self.sample.guess_loss is None else -self.of[0])
