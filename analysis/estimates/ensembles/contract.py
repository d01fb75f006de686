"""The contract of a way to make ensembles; importing it imports nothing heavy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class Choose(Protocol):
    """A function that chooses the members of an ensemble among T models."""

    def __call__(
        self, parts: "np.ndarray", labels: "np.ndarray", weights: "np.ndarray", by_loss: bool, kinds: Sequence[str]
    ) -> "np.ndarray":
        """Returns how often each model is in the ensemble.

        Args:
          parts: (classes, T, N) float32, what `Ensembles.part` returns for the probabilities of T models.
          labels: (N,) class indices.
          weights: (N,) how much each image counts; they add up to 1.
          by_loss: whether ensembles are judged by the mean log probability of the true class; otherwise by the share
            of images that are right.
          kinds: the kind of each of the T models.

        Returns:
          (T,) int; at least one is above 0.
        """


@dataclass(frozen=True)
class Ensembles:
    """A way to make ensembles.

    Attributes:
      part: takes probabilities in any shape and returns, in the same shape, the terms that the members add up.
      whole: takes a (classes, N) sum of parts and how many were added; returns (classes, N) probabilities, up to a
        factor for each image.
      choose: chooses the members.
      of_kind: how many trials of each kind of model keep their weights so that they can be members, beside the trials
        that are best of all.
      is_adjusted: whether ensembles, and single trials too, are also tried with adjusted predictions
        (`analysis.estimates.adjustments`).
    """

    part: "Callable[[np.ndarray], np.ndarray]"
    whole: "Callable[[np.ndarray, int], np.ndarray]"
    choose: Choose
    of_kind: int
    is_adjusted: bool = False

    def mean(self, parts: "np.ndarray", counts: "np.ndarray") -> "np.ndarray":
        """Returns (classes, N) probabilities of an ensemble, up to a factor for each image.

        Args:
          parts: (classes, T, N) what `part` returns for the probabilities of T models.
          counts: (T,) how often each model is in the ensemble.
        """
        import numpy as np

        return self.whole(np.tensordot(parts, counts.astype(np.float32) / counts.sum(), axes=([1], [0])), 1)
