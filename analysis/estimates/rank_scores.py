"""How well candidates do by a metric made of ranks: of the order in which a class's probability puts the images.

To sort all draws of all candidates takes minutes. So each candidate is first scored on all draws by its slopes, what
the metric gains by one more of each image: one product of matrices, off by a term that vanishes with the number of
images (the infinitesimal jackknife of Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982; for an
AUC, LeDell, Petersen and van der Laan, "Computationally efficient confidence intervals for cross-validated area under
the ROC curve estimates", Electronic Journal of Statistics 9, 2015). By their ranks are then scored those that may be
the best of a draw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from sweep.analysis.estimates.draws import DRAWS, mean_of_finite
from sweep.analysis.estimates.posterior import PosteriorScores
from sweep.trainable.metrics.contract import Ranks, ranked_classes
from sweep.trainable.metrics.predictions import falling_order

WEIGHTS = 1 << 20  # numbers that are sorted at a time
BLOCK = 256  # candidates whose slopes are held at a time
NEVER_SEEN = 0.25  # of an image of the class and of one of the rest, at either end of the order
PAIR = np.array([True, False])  # one of the class and one of the rest, with the same probability


@dataclass(frozen=True, eq=False)
class RankScores(PosteriorScores):
    """How well each of some candidates does, from the order in which it puts the images.

    Attributes:
      ranks: the metric.
      labels: (N,) class indices.
      probabilities: (N, classes), of each candidate; asked for anew whenever they are needed.
      span: the least and the most that a score can be.
    """

    ranks: Ranks
    labels: np.ndarray
    probabilities: Sequence[np.ndarray]
    span: tuple[float, float] = (0.0, 1.0)
    most_draws: ClassVar[int] = DRAWS

    def everywhere(self) -> np.ndarray:
        """(P,): the score of each candidate on all images."""
        return self._slopes[0]

    @cached_property
    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) scores on all images, and (P, N) float32, by how much each grows with the weight of each image."""
        once = np.ones((len(self.labels), 1))
        values, slopes = (
            np.empty(len(self.probabilities)),
            np.zeros((len(self.probabilities), len(self.labels)), np.float32),
        )
        for candidate in range(len(self.probabilities)):
            found: list[float] = []
            for order, is_of_class, ends in self._orders(candidate):
                value = float(self.ranks.of_order(once, is_of_class, ends)[0])
                if not np.isnan(value):
                    found.append(value)
                    slopes[candidate, order] += self.ranks.slopes(is_of_class, ends)
            values[candidate] = np.mean(found) if found else np.nan
            slopes[candidate] /= max(1, len(found))
        return values, slopes

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """(B, P): the score of each candidate on each draw, exact for those that may be the best of it.

        Args:
          counts: (B, N), of `draws`.
        """
        values, slopes = self._slopes
        if not len(counts):
            return np.empty((0, len(values)))
        share = counts * np.float32(counts.shape[1] / counts[0].sum())  # as many images as there are, for the slopes
        scores = values + share @ slopes.T
        best = int(np.nan_to_num(values, nan=-np.inf).argmax())
        off = np.abs(self._of_draws(best, counts) - scores[:, best])
        may_be_best = scores >= scores.max(axis=1, keepdims=True) - 2 * np.nanmax(off, initial=0)
        for candidate in np.flatnonzero(may_be_best.any(axis=0)):
            draws = may_be_best[:, candidate]
            scores[draws, candidate] = self._of_draws(int(candidate), counts[draws])
        return np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """The mean score, on the images that were not drawn, of what was chosen in each draw.

        Args:
          counts: (B, N), of `draws`.
          chosen: (B,) candidates.
        """
        scores = np.concatenate([self._of_draws(int(each), counts[chosen == each] == 0) for each in np.unique(chosen)])
        return mean_of_finite(scores)

    def under(self, candidates: list[int], weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        classes = len(ranked_classes(self.probabilities[0].shape[1]))
        never_seen = rng.standard_gamma(NEVER_SEEN, (2, classes, 2, len(weights))).astype(np.float32)
        ends = [(never_seen[place], never_seen[1 - place]) for place in range(len(candidates))]
        found = [self._of_draws(each, weights, *parts) for each, parts in zip(candidates, ends, strict=True)]
        return np.stack(found, axis=1)

    def _orders(self, candidate: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields of each class the order of the images, which are of the class, and which the last of their equals."""
        probabilities = self.probabilities[candidate]
        for label in ranked_classes(probabilities.shape[1]):
            order, ends = falling_order(probabilities[:, label])
            yield order, self.labels[order] == label, ends

    def _of_draws(
        self, candidate: int, weights: np.ndarray, right: np.ndarray | None = None, wrong: np.ndarray | None = None
    ) -> np.ndarray:
        """(B,): the score of a candidate under (B, N) weights; NaN where there is none.

        Args:
          right, wrong: (classes, 2, B) weights of images of each class and of the rest that no one has seen, at the
            end of the order where they belong and at the other; None for no such images.
        """
        images, total, classes = np.ascontiguousarray(weights.T), np.zeros(len(weights)), np.zeros(len(weights))
        at_a_time = max(1, WEIGHTS // max(1, len(images)))
        for number, (order, is_of_class, ends) in enumerate(self._orders(candidate)):
            if right is not None:
                is_of_class = np.concatenate([PAIR, is_of_class, PAIR])
                ends = np.concatenate([~PAIR, ends, ~PAIR])
            for start in range(0, len(weights), at_a_time):
                part = slice(start, start + at_a_time)
                in_order = images[:, part][order]
                if right is not None and wrong is not None:
                    first, last = right[number, :, part], wrong[number, :, part]
                    in_order = np.concatenate([[first[0], last[1]], in_order, [last[0], first[1]]])
                found = self.ranks.of_order(in_order, is_of_class, ends)
                is_defined = ~np.isnan(found)
                total[part] += np.where(is_defined, found, 0)
                classes[part] += is_defined
        return np.where(classes > 0, total / np.maximum(classes, 1), np.nan)
