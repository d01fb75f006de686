"""The contract of a way to make ensembles; importing it imports nothing heavy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class Choose(Protocol):
    """Chooses the members of an ensemble."""

    def __call__(
        self, parts: "np.ndarray", labels: "np.ndarray", weights: "np.ndarray", by_loss: bool, kinds: Sequence[str]
    ) -> "np.ndarray":
        """Args:
          parts: (classes, T, N) float32, `Ensembles.part` of what T models predict.
          labels: (N,) class indices.
          weights: (N,) what each image counts, adding up to 1.
          by_loss: judges by the mean log probability of the true class instead of by images that are right.
          kinds: of model, one each of the T.

        Returns:
          (T,) int: how often each model is in it; one at least is.
        """


@dataclass(frozen=True)
class Ensembles:
    """A way to make ensembles.

    Attributes:
      part: returns what is added up over the members, of probabilities in any shape.
      whole: returns the probabilities, up to a factor of each image, of (classes, N) sums of so many parts.
      choose: chooses the members.
      of_kind: so many trials of each kind of model keep their weights to be members, beside the best of all.
      is_adjusted: whether they, and single trials too, are also compared with their predictions adjusted,
        `analysis.estimates.adjustments`.
    """

    part: "Callable[[np.ndarray], np.ndarray]"
    whole: "Callable[[np.ndarray, int], np.ndarray]"
    choose: Choose
    of_kind: int
    is_adjusted: bool = False

    def mean(self, parts: "np.ndarray", counts: "np.ndarray") -> "np.ndarray":
        """Returns (classes, N) probabilities of the ensemble that has each of the T models so often.

        Args:
          parts: (classes, T, N).
          counts: (T,).
        """
        import numpy as np

        return self.whole(np.tensordot(parts, counts.astype(np.float32) / counts.sum(), axes=([1], [0])), 1)
