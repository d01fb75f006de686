"""Logit-adjusted cross entropy, Menon et al. 2021 (arXiv 2007.07314), with the paper's tau of 1.

The logarithm of each class's share in training is added to its logit within the loss alone. What is left for the net to
learn is how well an image fits a class however frequent that is, so its answers, which are made without the addition,
are those for classes of equal size: of all decisions they are the best for the mean recall of the classes.
"""

from typing import TYPE_CHECKING

from sweep.trainable.losses.contract import Loss

if TYPE_CHECKING:
    from torch import Tensor


def costs(logits: "Tensor", log_shares: "Tensor") -> "Tensor":
    return -(logits + log_shares).log_softmax(1)


LOSS = Loss("logit_adjusted", costs)
