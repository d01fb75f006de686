"""How well candidates do on the validation images, and on draws of them, by the metric of a sweep: a class a kind.

A metric is a mean of per-image scores, or made of counts, or of ranks, or of the user's and known by its values alone.
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
    """How well each of P candidates does, the larger the better, by whatever metric.

    Attributes:
      most_draws: so many draws can be scored in a few seconds.
    """

    most_draws: ClassVar[int]

    @property
    def span(self) -> tuple[float, float]:
        """The least and the most that a score can be."""

    def everywhere(self) -> np.ndarray:
        """(P,): the score of each candidate on all images."""

    def on_drawn(self, counts: np.ndarray) -> np.ndarray:
        """(B, P): the score of each candidate on each draw.

        It can be off, but never the largest, for a candidate that is not the best of a draw.

        Args:
          counts: (B, N), of `draws`.
        """

    def left_out(self, counts: np.ndarray, chosen: np.ndarray) -> float:
        """The score, on the images that were not drawn, of what was chosen in each draw.

        Args:
          chosen: (B,) candidates.
        """

    def interval(self, candidate: int, mean: float) -> tuple[float, float]:
        """The 95 % interval of the score of a candidate.

        Args:
          mean: its score, or what was corrected of it.
        """

    def standard_error(self) -> float:
        """The standard error of the score of the first candidate."""

    def variance_of_gain(self) -> float:
        """The variance, by the images, of what the first of two candidates is better by."""

    def interval_of_gain(self, gain: float) -> tuple[float, float]:
        """The 95 % interval of that.

        Args:
          gain: what the first is better by, corrected.
        """


@dataclass(frozen=True)
class Computed(Sequence[np.ndarray]):
    """As many arrays as there are candidates, each computed whenever it is asked for, so that few are held at once."""

    number: int
    compute: Callable[[int], np.ndarray]

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: Any) -> Any:
        return self.compute(range(self.number)[index])


def scores_of(record: Record, logits: Sequence[np.ndarray]) -> Scored:
    """How well candidates do on the validation images, by the metric of a sweep.

    Args:
      logits: (N, classes), of each candidate.
    """
    return scores_of_images(record, record.valid_labels, logits)


def scores_of_images(record: Record, labels: np.ndarray, logits: Sequence[np.ndarray]) -> Scored:
    """The same on images with these labels.

    Args:
      labels: (N,) class indices.
    """
    metric, classes = record.metric, len(record.classes)
    if metric.images is not None:
        of = np.stack([metric.images.of_logits(labels, each) for each in logits])
        return MeanScores(of.astype(float), sample(metric, labels, classes))
    if metric.counts is not None:
        return _of_answers(metric, labels, np.stack([each.argmax(axis=1) for each in logits]), classes)
    if metric.ranks is not None:
        return RankScores(metric.ranks, labels, Computed(len(logits), lambda place: softmax(logits[place])))
    return DrawnScores(metric, labels, list(logits))


def scores_of_probabilities(record: Record, probabilities: Sequence[np.ndarray], dtype: type | None = None) -> Scored:
    """The same on the validation images, of (classes, N) probabilities of each candidate.

    Args:
      dtype: of the scores of single images; None for that in which they are computed.
    """
    metric, labels, classes = record.metric, record.valid_labels, len(record.classes)
    if metric.images is not None:
        of = np.stack([metric.images.of_probabilities(labels, each) for each in probabilities])
        return MeanScores(of.astype(dtype or of.dtype), sample_of(record))
    if metric.counts is not None:
        return _of_answers(metric, labels, np.stack([each.argmax(axis=0) for each in probabilities]), classes)
    if metric.ranks is not None:
        return RankScores(metric.ranks, labels, Computed(len(probabilities), lambda place: probabilities[place].T))
    logs = Computed(len(probabilities), lambda place: np.log(np.maximum(probabilities[place].T, SMALLEST)))
    return DrawnScores(metric, labels, logs)


def scores_of_classes(record: Record, answers: np.ndarray) -> Scored:
    """The same of (P, N) classes that candidates answer, of a metric for which they are enough."""
    metric, labels = record.metric, record.valid_labels
    if metric.images is None or metric.images.of_classes is None:
        return _of_answers(metric, labels, answers, len(record.classes))
    return MeanScores(metric.images.of_classes(labels, answers), sample_of(record))


def _of_answers(metric: Metric, labels: np.ndarray, answers: np.ndarray, classes: int) -> CountScores:
    assert metric.counts is not None
    return CountScores(metric.counts, labels, answers, classes, metric.span)
