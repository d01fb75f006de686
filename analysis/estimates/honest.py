"""What the best of many trials is worth: an estimate of the whole selection, epoch choice included.

The best of 50 trials, each at its best epoch, on the images that chose it, is flattered. Chosen again and again on
images drawn with replacement, and scored on the images that were left out, it is not: the bootstrap bias correction of
Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and accurate
cross-validation", Machine Learning 107, 2018. It needs the kept predictions alone and trains nothing again. The
interval around it is that of `analysis.estimates.intervals`, as if a single trial had been measured and came out like
that.

What it cannot correct: that the sampler and the pruner saw the same images while the sweep ran.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from analysis.estimates.intervals import Sample

if TYPE_CHECKING:
    from analysis.estimates.scores import Scored

DRAWS = 1000
SEED = 20180509
BLOCK = 256  # candidates whose scores are float32 at a time


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


@dataclass(frozen=True)
class Estimate:
    """Of something chosen by its score.

    Attributes:
      chosen: the candidate that is the best on all images; the first of equals.
      raw: its score there.
      corrected: the bias-corrected estimate of the selection.
      low, high: 95 % interval around it, by the number of images.
    """

    chosen: int
    raw: float
    corrected: float
    low: float
    high: float


def draws(images: int, times: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """(B, images) uint8: how often each image is drawn with replacement, as many in all as there are images.

    B is `times`, less the draws of a handful of images that leave none out.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, images, (times, images))
    drawn += images * np.arange(times)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=times * images).reshape(times, images).astype(np.uint8)
    return counts[(counts == 0).any(axis=1)]


def estimate(scores: "Scored", counts: np.ndarray) -> Estimate:
    """Chooses the best candidate, and says what the choice is worth.

    Args:
      counts: (B, N), of `draws`.
    """
    everywhere = scores.everywhere()
    best = int(everywhere.argmax())
    raw = corrected = float(everywhere[best])
    if len(counts):  # a single image tells nothing
        corrected = mean_of_finite(scores.on_left_out(counts, scores.on_drawn(counts).argmax(axis=1)))
    return Estimate(best, raw, corrected, *scores.interval(best, corrected))


def mean_of_finite(values: np.ndarray) -> float:
    """The mean over the draws of which there is a value."""
    return float(values[np.isfinite(values)].mean())
