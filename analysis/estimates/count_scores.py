"""Scores of candidates by a metric made of counts, which say how many images of each class got each answer.

The counts for all draws are products of matrices, one for each true class. To score the candidates that were chosen on
the draws, the counts of the images left out are added up over all draws, and the metric is computed once from the sum.
The mean over draws would be wrong: an F1 score of few images is too low on average, and a single draw leaves few images
out (Forman and Scholz, "Apples-to-apples in cross-validation studies: pitfalls in classifier performance measurement",
SIGKDD Explorations 12, 2010). The part of this error that remains, because the number of images is finite, is estimated
and removed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from sweep.analysis.estimates.draws import DRAWS, SEED, mean_of_finite
from sweep.analysis.estimates.posterior import PosteriorScores

CELLS = 1 << 24  # numbers that are held in memory at a time
MOST_CELLS = 1 << 31  # numbers that are computed for all draws and candidates together
LEAST_CANDIDATES = 20  # that are scored on a draw, whatever the cost
NEVER_SEEN = 0.5  # images of each class that are added as right, and as many as wrong
PART = 0.01  # the share of a class's wrong images that is made right, to see how the metric changes


@dataclass(frozen=True, eq=False)
class CountScores(PosteriorScores):
    """The scores of P candidates, computed from the classes that they answer; see `scores.Scored`.

    Attributes:
      of_counts: computes (...) scores, the larger the better, from (..., classes, classes) weights of images by their
        true class (row) and the answer (column).
      labels: (N,) class indices.
      answers: (P, N) class indices.
      classes: how many classes there are.
      span: the least and the most that a score can be.
    """

    of_counts: Callable[[np.ndarray], np.ndarray]
    labels: np.ndarray
    answers: np.ndarray
    classes: int
    span: tuple[float, float] = (0.0, 1.0)
    most_draws: ClassVar[int] = DRAWS

    def everywhere(self) -> np.ndarray:
        """Returns (P,) scores, one for each candidate, on all images."""
        return self._all_scores

    @cached_property
    def _all_scores(self) -> np.ndarray:
        weights = np.ones(len(self.labels))
        return np.array([self.of_counts(self._count(answers, weights)) for answers in self.answers])

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """Returns (B, P) scores, one for each draw and candidate, on the images drawn.

        If there are so many classes that this would take minutes, only the candidates that are best on all images are
        scored, and the others get minus infinity.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
        """
        candidates = np.argsort(-self._all_scores, kind="stable")
        candidates = np.sort(candidates[: max(LEAST_CANDIDATES, MOST_CELLS // (max(1, len(counts)) * self.classes**2))])
        weights, scores = counts.astype(np.float32), np.full((len(counts), len(self.answers)), -np.inf)
        at_a_time = max(1, CELLS // (self.classes * max(len(counts) * self.classes, len(self.labels))))
        for start in range(0, len(candidates), at_a_time):
            block = candidates[start : start + at_a_time]
            scores[:, block] = self.of_counts(self._count_draws(self.answers[block], weights))
        return np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """Returns the score, on the images that were not drawn, of the candidates that were chosen on the draws.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
          chosen: (B,) the index of the candidate that was chosen on each draw.
        """
        total = np.zeros((self.classes, self.classes))
        for candidate in np.unique(chosen):
            left_out = (counts[chosen == candidate] == 0) / (counts[chosen == candidate] == 0).sum(
                axis=1, keepdims=True
            )
            total += self._count(self.answers[candidate], left_out.sum(axis=0))
        total *= len(self.labels) / len(counts)
        return float(self.of_counts(total)) - self._bias(total)

    def _bias(self, counts: np.ndarray) -> float:
        """Returns by how much the score of (classes, classes) counts is too high on average, negative if too low.

        The error comes from the finite number of images. It is estimated as the mean difference between the score of
        random draws from these counts and the score of the counts themselves (Efron and Tibshirani, "An Introduction
        to the Bootstrap", 1993, chapter 10).
        """
        draws = max(1, min(DRAWS, CELLS // self.classes**2))
        samples = np.random.default_rng(SEED).multinomial(len(self.labels), counts.ravel() / counts.sum(), draws)
        scores = self.of_counts(samples.reshape(draws, *counts.shape))
        return mean_of_finite(scores - self.of_counts(counts))

    def weighted_scores(self, candidates: list[int], weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns (B, Q) scores of candidates under (B, N) weights, with images added that were never seen."""
        answers, scores = self.answers[candidates], []
        at_a_time = max(1, CELLS // (len(candidates) * self.classes**2))
        for start in range(0, len(weights), at_a_time):
            counts = self._count_draws(answers, weights[start : start + at_a_time])
            self._add_never_seen(counts, rng)
            scores.append(self.of_counts(counts))
        return np.concatenate(scores)

    def _add_never_seen(self, counts: np.ndarray, rng: np.random.Generator) -> None:
        """Adds images that were never seen to (B, Q, classes, classes) weights, in place.

        Of two candidates, each is right on the added images on which the other is wrong.
        """
        present = np.flatnonzero(np.bincount(self.labels, minlength=self.classes))
        parts = rng.standard_gamma(NEVER_SEEN, (2, len(counts), len(present))).astype(np.float32)
        for candidate in range(counts.shape[1]):
            right, wrong = parts[candidate], parts[1 - candidate] / (self.classes - 1)
            counts[:, candidate, present] += wrong[..., None]
            counts[:, candidate, present, present] += right - wrong

    def _count(self, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Returns (classes, classes) weights by true class and answer, from (N,) answers and (N,) weights of images."""
        pairs = self.labels.astype(np.intp) * self.classes + answers
        return np.bincount(pairs, weights, self.classes**2).reshape(self.classes, self.classes)

    def _count_draws(self, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Returns (B, Q, classes, classes) weights by true class and answer.

        Args:
          answers: (Q, N) class indices that candidates answer.
          weights: (B, N) weights of the images.
        """
        counts = np.zeros((self.classes, len(weights), len(answers), self.classes), np.float32)
        for label in np.unique(self.labels):
            images = np.flatnonzero(self.labels == label)
            is_answer = np.zeros((len(images), len(answers), self.classes), np.float32)
            np.put_along_axis(is_answer, answers[:, images].T.astype(np.intp)[..., None], 1, axis=2)
            product = weights[:, images] @ is_answer.reshape(len(images), -1)
            counts[label] = product.reshape(counts[label].shape)
        return np.moveaxis(counts, 0, -2)


def worth_of_classes(of_counts: Callable[[np.ndarray], np.ndarray], counts: np.ndarray) -> np.ndarray:
    """Returns (classes,) by how much a metric grows when one more image of each class gets the right answer.

    If each image has the weight of its class, the weighted share of right images is the metric to first order
    (Narasimhan, Ramaswamy, Saha and Agarwal, "Consistent multiclass algorithms for complex performance measures", ICML
    2015). The numbers are never below zero.

    Args:
      of_counts: computes the metric, as `CountScores.of_counts`.
      counts: (classes, classes) images by true class and answer. Half a right and half a wrong image are added to each
        class, so that a class whose images are all right has wrong ones too.
    """
    classes = len(counts)
    present = counts.sum(axis=1) > 0
    wrong = (counts + NEVER_SEEN / max(1, classes - 1) * present[:, None]) * (1 - np.eye(classes))
    counts = wrong + np.diag(np.diagonal(counts) + NEVER_SEEN * present)
    value, worth = of_counts(counts), np.zeros(classes)
    for label in np.flatnonzero(present):
        improved_counts = counts.copy()
        improved_counts[label] -= PART * wrong[label]
        improved_counts[label, label] += PART * wrong[label].sum()
        worth[label] = (of_counts(improved_counts) - value) / (PART * wrong[label].sum())
    return np.maximum(np.nan_to_num(worth), 0)
