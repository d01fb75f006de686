"""Logit-adjusted cross entropy, Menon et al. 2021 (arXiv 2007.07314), with the paper's tau of 1.

Within the loss, and only there, the logarithm of each class's share in training is added to its logit. So the net only
has to learn how well an image fits a class, however frequent the class is. Predictions are made without the addition
and are those for classes of equal size, which give the best mean recall over the classes.
"""

from typing import TYPE_CHECKING

from sweep.trainable.losses.contract import Loss

if TYPE_CHECKING:
    from torch import Tensor


def costs(logits: "Tensor", log_shares: "Tensor") -> "Tensor":
    """Returns (N, classes) costs for (classes,) logarithms of the classes' shares."""
    return -(logits + log_shares).log_softmax(1)


LOSS = Loss("logit_adjusted", costs)
