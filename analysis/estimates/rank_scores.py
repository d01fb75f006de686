"""Scores of candidates by a metric made of ranks: the order of the images by the probability of a class.

Sorting all draws for all candidates would take minutes. So each candidate is first scored on all draws approximately,
by the slopes of the metric: how much it grows with the weight of each image. That is one product of matrices, with an
error that vanishes as the number of images grows (the infinitesimal jackknife of Efron, "The Jackknife, the Bootstrap
and Other Resampling Plans", 1982; for an AUC, LeDell, Petersen and van der Laan, "Computationally efficient confidence
intervals for cross-validated area under the ROC curve estimates", Electronic Journal of Statistics 9, 2015). Then only
the candidates that may be the best of a draw are scored exactly, by sorting.
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

WEIGHTS = 1 << 20  # weights that are put into order at a time
NEVER_SEEN = 0.25  # images of the class, and as many of the rest, that are added at each end of the order
PAIR = np.array([True, False])  # an image of the class and one of the rest, with the same probability


@dataclass(frozen=True, eq=False)
class RankScores(PosteriorScores):
    """The scores of P candidates, computed from the order in which they put the images; see `scores.Scored`.

    Attributes:
      ranks: the metric.
      labels: (N,) class indices.
      probabilities: (N, classes) probabilities of each candidate, computed anew whenever they are needed.
      span: the least and the most that a score can be.
    """

    ranks: Ranks
    labels: np.ndarray
    probabilities: Sequence[np.ndarray]
    span: tuple[float, float] = (0.0, 1.0)
    most_draws: ClassVar[int] = DRAWS

    def everywhere(self) -> np.ndarray:
        """Returns (P,) scores, one for each candidate, on all images."""
        return self._slopes[0]

    @cached_property
    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) scores on all images, and (P, N) float32: how much each score grows with the weight of each image."""
        weights = np.ones((len(self.labels), 1))
        values, slopes = (
            np.empty(len(self.probabilities)),
            np.zeros((len(self.probabilities), len(self.labels)), np.float32),
        )
        for candidate in range(len(self.probabilities)):
            class_values: list[float] = []
            for order, is_of_class, ends in self._orders(candidate):
                value = float(self.ranks.of_order(weights, is_of_class, ends)[0])
                if not np.isnan(value):
                    class_values.append(value)
                    slopes[candidate, order] += self.ranks.slopes(is_of_class, ends)
            values[candidate] = np.mean(class_values) if class_values else np.nan
            slopes[candidate] /= max(1, len(class_values))
        return values, slopes

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """Returns (B, P) scores, one for each draw and candidate, exact for those that may be the best of a draw.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
        """
        values, slopes = self._slopes
        if not len(counts):
            return np.empty((0, len(values)))
        weights = counts * np.float32(counts.shape[1] / counts[0].sum())  # slopes hold for a total weight of N
        scores = values + weights @ slopes.T
        best = int(np.nan_to_num(values, nan=-np.inf).argmax())
        error = np.abs(self._score(best, counts) - scores[:, best])
        may_be_best = scores >= scores.max(axis=1, keepdims=True) - 2 * np.nanmax(error, initial=0)
        for candidate in np.flatnonzero(may_be_best.any(axis=0)):
            draws = may_be_best[:, candidate]
            scores[draws, candidate] = self._score(int(candidate), counts[draws])
        return np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """Returns the mean over the draws of the chosen candidate's score on the images that were not drawn.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
          chosen: (B,) the index of the candidate that was chosen on each draw.
        """
        scores = np.concatenate(
            [self._score(int(candidate), counts[chosen == candidate] == 0) for candidate in np.unique(chosen)]
        )
        return mean_of_finite(scores)

    def weighted_scores(self, candidates: list[int], weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns (B, Q) scores of candidates under (B, N) weights, with images added that were never seen."""
        classes = len(ranked_classes(self.probabilities[0].shape[1]))
        never_seen = rng.standard_gamma(NEVER_SEEN, (2, classes, 2, len(weights))).astype(np.float32)
        ends = [(never_seen[place], never_seen[1 - place]) for place in range(len(candidates))]
        scores = [self._score(each, weights, *parts) for each, parts in zip(candidates, ends, strict=True)]
        return np.stack(scores, axis=1)

    def _orders(self, candidate: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields, for each class that the metric ranks, three arrays over the images.

        These are (N,) image numbers by falling probability and, in that order, (N,) whether each image is of the class
        and (N,) whether it is the last of the images with the same probability.
        """
        probabilities = self.probabilities[candidate]
        for label in ranked_classes(probabilities.shape[1]):
            order, ends = falling_order(probabilities[:, label])
            yield order, self.labels[order] == label, ends

    def _score(
        self, candidate: int, weights: np.ndarray, right: np.ndarray | None = None, wrong: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns (B,) scores of a candidate under (B, N) weights; NaN where the metric has no value.

        Args:
          candidate: its index.
          weights: (B, N) weights of the images.
          right, wrong: (classes, 2, B) weights of images that were never seen, of each class and of the rest: `right`
            at the end of the order where they belong, `wrong` at the other end. None adds no such images.
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
                scores = self.ranks.of_order(in_order, is_of_class, ends)
                is_defined = ~np.isnan(scores)
                total[part] += np.where(is_defined, scores, 0)
                classes[part] += is_defined
        return np.where(classes > 0, total / np.maximum(classes, 1), np.nan)
