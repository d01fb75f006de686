"""Cross entropy: the negative logarithm of the probability that the net gives to the class."""

from typing import TYPE_CHECKING

from sweep.trainable.losses.contract import Loss

if TYPE_CHECKING:
    from torch import Tensor


def costs(logits: "Tensor", log_shares: "Tensor") -> "Tensor":
    """Returns (N, classes) negative logarithms of the probabilities; `log_shares` has no effect."""
    return -logits.log_softmax(1)


LOSS = Loss("cross_entropy", costs)
