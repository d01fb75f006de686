"""Focal loss, Lin et al. 2017 (arXiv 1708.02002): images that are easy already count for little.

Cross entropy times (1 - p)**2, where p is the probability of the class: 2 is the exponent gamma that the paper found
best. It is not convex in the logits, so what L-BFGS finds of it for a logistic head is a minimum that follows from
where it begins, at weights of zero, and may not be the lowest one.
"""

from typing import TYPE_CHECKING

from sweep.trainable.losses.contract import Loss

if TYPE_CHECKING:
    from torch import Tensor


def costs(logits: "Tensor", log_shares: "Tensor") -> "Tensor":
    log_probabilities = logits.log_softmax(1)
    others = -log_probabilities.expm1()  # 1 - p, to full precision where p is nearly 1
    return -others.square() * log_probabilities


LOSS = Loss("focal", costs)
