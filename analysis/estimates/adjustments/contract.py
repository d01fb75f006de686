"""The contract of an adjustment of predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sweep.trainable.metrics.contract import Metric


class Fit(Protocol):
    """A function that fits the number of an adjustment to predictions."""

    def __call__(self, metric: Metric, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> float:
        """Returns the number with which the predictions are best.

        Args:
          metric: the metric of the sweep.
          labels: (N,) class indices.
          probabilities: (classes, N), not yet adjusted.
          counts: (N,) how often each image counts; images with 0 are ignored.
        """


@dataclass(frozen=True)
class Adjustment:
    """A way to change predictions by one number.

    Attributes:
      name: the name of the number, in `best/config.json` and in the metadata of an ONNX file.
      suits: takes a metric and the number of classes; returns whether the adjustment can improve the metric's value.
      fit: returns the number that fits some predictions.
      apply: takes (classes, N) probabilities and the number; returns adjusted (classes, N) probabilities, of which the
        largest one of an image is its answer.
      neutral: the number that changes nothing.
      is_possible: returns whether `fit` can return a number.
      divides_logits: whether the logits are divided by the number, so that the probabilities that people are given
        change; otherwise only the answers change.
    """

    name: str
    suits: Callable[[Metric, int], bool]
    fit: Fit
    apply: Callable[[np.ndarray, float], np.ndarray]
    neutral: float
    is_possible: Callable[[float], bool]
    divides_logits: bool


@dataclass(frozen=True)
class Fitted:
    """An adjustment together with the number that was fitted."""

    kind: Adjustment
    number: float

    @property
    def label(self) -> str:
        """The words that the adjustment adds to the label of a way to predict."""
        return f" with a {self.kind.name} of {self.number:.3g}"

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns adjusted (classes, N) probabilities, of which the largest one of an image is its answer."""
        return self.kind.apply(probabilities, self.number)

    def output(self, shares: np.ndarray) -> np.ndarray:
        """Returns the (N, classes) probabilities that people are given.

        Args:
          shares: (N, classes) probabilities that are not adjusted.
        """
        return self.apply(shares.T).T if self.kind.divides_logits else shares

    def scored(self, shares: np.ndarray) -> np.ndarray:
        """Returns the (N, classes) probabilities from which a metric is computed; the largest one is the answer.

        Args:
          shares: what the method `output` returned.
        """
        return shares if self.kind.divides_logits else self.apply(shares.T).T

    def answers(self, shares: np.ndarray) -> np.ndarray:
        """Returns the (N,) class indices that are predicted.

        Args:
          shares: what the method `output` returned.
        """
        return self.scored(shares).argmax(axis=1)

    @property
    def divisor(self) -> float:
        """The number by which logits are divided to get the probabilities that people are given."""
        return self.number if self.kind.divides_logits else 1.0

    def to_json(self) -> dict[str, float]:
        """Returns the name and the number, from which `adjustments.from_json` makes the same object."""
        return {self.kind.name: self.number}
