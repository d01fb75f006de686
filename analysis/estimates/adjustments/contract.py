"""The contract of an adjustment of predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sweep.trainable.metrics.contract import Metric


class Fit(Protocol):
    """Finds the number with which predictions are best by a metric."""

    def __call__(self, metric: Metric, labels: np.ndarray, probabilities: np.ndarray, counts: np.ndarray) -> float:
        """Args:
        labels: (N,) class indices.
        probabilities: (classes, N), not yet adjusted.
        counts: (N,) how often each image counts; those with 0 are not looked at.
        """


@dataclass(frozen=True)
class Adjustment:
    """A way to change predictions by one number.

    Attributes:
      name: of the number, in `best/config.json` and in the metadata of an ONNX file.
      suits: says whether it can better the value of a metric, where there are so many classes.
      fit: finds the number.
      apply: returns (classes, N) probabilities, whose largest of an image is its answer, of those not yet adjusted and
        the number.
      neutral: the number that changes nothing.
      is_possible: says whether a number can be one.
      divides_logits: whether logits are divided by the number, which changes the probabilities that people are given;
        else the answers alone change.
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
    """An adjustment with its number."""

    kind: Adjustment
    number: float

    @property
    def label(self) -> str:
        """What is added to the label of a way to predict."""
        return f" with a {self.kind.name} of {self.number:.3g}"

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns (classes, N) probabilities whose largest of an image is its answer, of those not yet adjusted."""
        return self.kind.apply(probabilities, self.number)

    def told(self, shares: np.ndarray) -> np.ndarray:
        """Returns the (N, classes) probabilities that people are given, of those not yet adjusted."""
        return self.apply(shares.T).T if self.kind.divides_logits else shares

    def scored(self, told: np.ndarray) -> np.ndarray:
        """Returns (N, classes) probabilities that a metric is computed of, given `told`: the largest is the answer."""
        return told if self.kind.divides_logits else self.apply(told.T).T

    def answers(self, told: np.ndarray) -> np.ndarray:
        """Returns the (N,) class indices that images get, given `told`."""
        return self.scored(told).argmax(axis=1)

    @property
    def divisor(self) -> float:
        """What logits are divided by for these probabilities."""
        return self.number if self.kind.divides_logits else 1.0

    def to_json(self) -> dict[str, float]:
        return {self.kind.name: self.number}
