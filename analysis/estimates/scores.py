"""Scores of candidates by the metric of a sweep, on the validation images and on random draws of them.

A candidate is anything that predicts: an epoch of a trial, a trial, an ensemble. There is one class of scores for each
kind of metric: a mean of per-image scores, a metric made of counts, one made of ranks, and a metric of the user's of
which nothing is known but its values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from sweep.analysis.estimates.count_scores import CountScores
from sweep.analysis.estimates.drawn_scores import DrawnScores
from sweep.analysis.estimates.intervals import sample, sample_of
from sweep.analysis.estimates.mean_scores import MeanScores
from sweep.analysis.estimates.rank_scores import RankScores
from sweep.analysis.record import Record
from sweep.trainable.metrics.contract import Metric, softmax
from sweep.trainable.metrics.log_loss import SMALLEST


class Scored(Protocol):
    """The scores of P candidates by any metric; a larger score is better, whatever the direction of the metric.

    Attributes:
      most_draws: the largest number of draws that can be scored in a few seconds.
    """

    most_draws: ClassVar[int]

    @property
    def span(self) -> tuple[float, float]:
        """The least and the most that a score can be."""

    def everywhere(self) -> np.ndarray:
        """Returns (P,) scores, one for each candidate, on all images."""

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """Returns (B, P) scores, one for each draw and candidate, on the images drawn.

        For a candidate that is not the best of a draw the score may be inexact, but it is never the largest one.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
        """

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """Returns the score, on the images that were not drawn, of the candidates that were chosen on the draws.

        Args:
          counts: (B, N), how often each image was drawn, as `draws` returns it.
          chosen: (B,) the index of the candidate that was chosen on each draw.
        """

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        """Returns the 95 % interval of the score of a candidate.

        Args:
          candidate: its index.
          mean: its score, or the corrected score, around which the interval is put.
        """

    def standard_error(self) -> float:
        """Returns the standard error of the score of the first candidate."""

    def variance_of_gain(self) -> float:
        """Returns the variance of the difference between the first and the second of two candidates.

        It is the variance that comes from the choice of the images.
        """

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        """Returns the 95 % interval of the difference between the first and the second of two candidates.

        Args:
          gain: the difference, or the corrected difference, around which the interval is put.
        """


@dataclass(frozen=True)
class Computed(Sequence[np.ndarray]):
    """A sequence of arrays, each computed whenever it is asked for, so that few are in memory at once.

    Attributes:
      number: the length of the sequence.
      compute: returns the array at an index from 0.
    """

    number: int
    compute: Callable[[int], np.ndarray]

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: Any) -> Any:
        return self.compute(range(self.number)[index])


def scores_of(record: Record, logits: Sequence[np.ndarray]) -> Scored:
    """Returns the scores of candidates on the validation images, by the metric of a sweep.

    Args:
      record: the sweep.
      logits: (N, classes) logits of each candidate.
    """
    return scores_of_images(record, record.valid_labels, logits)


def scores_of_images(record: Record, labels: np.ndarray, logits: Sequence[np.ndarray]) -> Scored:
    """Returns the scores of candidates on images with these labels, by the metric of a sweep.

    Args:
      record: the sweep.
      labels: (N,) class indices.
      logits: (N, classes) logits of each candidate.
    """
    metric, classes = record.metric, len(record.classes)
    if metric.images is not None:
        image_scores = np.stack([metric.images.of_logits(labels, each) for each in logits])
        return MeanScores(image_scores.astype(float), sample(metric, labels, classes))
    if metric.counts is not None:
        return _count_scores(metric, labels, np.stack([each.argmax(axis=1) for each in logits]), classes)
    if metric.ranks is not None:
        return RankScores(metric.ranks, labels, Computed(len(logits), lambda place: softmax(logits[place])))
    return DrawnScores(metric, labels, list(logits))


def scores_of_probabilities(record: Record, probabilities: Sequence[np.ndarray], dtype: type | None = None) -> Scored:
    """Returns the scores of candidates on the validation images, from the probabilities that they give.

    Args:
      record: the sweep.
      probabilities: (classes, N) probabilities of each candidate.
      dtype: the type of the scores of single images; None for the type in which they are computed.
    """
    metric, labels, classes = record.metric, record.valid_labels, len(record.classes)
    if metric.images is not None:
        image_scores = np.stack([metric.images.of_probabilities(labels, each) for each in probabilities])
        return MeanScores(image_scores.astype(dtype or image_scores.dtype), sample_of(record))
    if metric.counts is not None:
        return _count_scores(metric, labels, np.stack([each.argmax(axis=0) for each in probabilities]), classes)
    if metric.ranks is not None:
        return RankScores(metric.ranks, labels, Computed(len(probabilities), lambda place: probabilities[place].T))
    logs = Computed(len(probabilities), lambda place: np.log(np.maximum(probabilities[place].T, SMALLEST)))
    return DrawnScores(metric, labels, logs)


def scores_of_classes(record: Record, answers: np.ndarray) -> Scored:
    """Returns the scores of candidates on the validation images, from the classes that they answer.

    Args:
      record: a sweep whose metric needs no more than the answered classes.
      answers: (P, N) class indices.
    """
    metric, labels = record.metric, record.valid_labels
    if metric.images is None or metric.images.of_classes is None:
        return _count_scores(metric, labels, answers, len(record.classes))
    return MeanScores(metric.images.of_classes(labels, answers), sample_of(record))


def _count_scores(metric: Metric, labels: np.ndarray, answers: np.ndarray, classes: int) -> CountScores:
    assert metric.counts is not None
    return CountScores(metric.counts, labels, answers, classes, metric.span)
