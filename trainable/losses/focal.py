"""Focal loss, Lin et al. 2017 (arXiv 1708.02002): images that are already easy count for little.

It is cross entropy times (1 - p)**2, where p is the probability of the class; the exponent gamma of 2 is the one that
the paper found best. It is not convex in the logits. For a logistic head L-BFGS therefore finds a minimum that depends
on where it starts, which is at weights of zero, and which may not be the lowest one.
"""

from typing import TYPE_CHECKING

from sweep.trainable.losses.contract import Loss

if TYPE_CHECKING:
    from torch import Tensor


def costs(logits: "Tensor", log_shares: "Tensor") -> "Tensor":
    """Returns (N, classes) costs; `log_shares` has no effect."""
    log_probabilities = logits.log_softmax(1)
    complements = -log_probabilities.expm1()  # 1 - p, to full precision where p is nearly 1
    return -complements.square() * log_probabilities


LOSS = Loss("focal", costs)
