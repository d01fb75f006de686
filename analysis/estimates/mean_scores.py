"""How well candidates do by a metric that is a mean of per-image scores: one product of matrices for all draws."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sweep.analysis.estimates.draws import DRAWS, mean_of_finite
from sweep.analysis.estimates.intervals import Sample

BLOCK = 256  # candidates whose scores are float32 at a time


@dataclass(frozen=True)
class MeanScores:
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

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """The mean score, on the images that were not drawn, of what was chosen in each draw.

        Args:
          counts: (B, N), of `draws`.
          chosen: (B,) candidates.
        """
        weights = self.sample.weights(counts == 0)
        scores = [row @ self.of[candidate] for row, candidate in zip(weights, chosen, strict=True)]
        return mean_of_finite(np.array(scores))

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
