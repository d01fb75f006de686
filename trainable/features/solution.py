"""Solves multinomial logistic regression, without a learning rate and without randomness.

There is one minimum if the loss is convex; the file of a loss that is not convex says so.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from sweep.trainable.objective import Objective

STEPS = 200  # of L-BFGS, at most: more steps change the prediction of no image
REMEMBERED = 10  # past steps from which it estimates the curvature
TOLERANCE = 1e-5  # it stops once no entry of the gradient exceeds this, or no entry of a step exceeds its square


def solve(
    linear: nn.Linear,
    blocks: Callable[[], Iterable[Tensor]],
    labels: Tensor,
    penalty: float,
    objective: Objective,
) -> float:
    """Sets a linear layer to the minimum, and returns the mean loss there.

    Args:
      blocks: yields the standardised features, (n, F) at a time, in order, so that not all need be in memory.
      labels: (N,) class indices.
      penalty: the factor of the sum of the squared weights.
      objective: for all images at once, see `Objective.of_each_image_once`.
    """
    for parameter in linear.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.LBFGS(
        linear.parameters(),
        max_iter=STEPS,
        history_size=REMEMBERED,
        tolerance_grad=TOLERANCE,
        tolerance_change=TOLERANCE**2,
        line_search_fn="strong_wolfe",
    )

    def mean() -> Tensor:
        """Returns the mean loss, and adds its gradient to that of the parameters."""
        total, start = torch.zeros((), device=labels.device), 0
        for block in blocks():
            truth = labels[start : start + len(block)]
            part = objective(linear(block), truth, reduction="sum") / len(labels)
            part.backward()
            total, start = total + part.detach(), start + len(block)
        return total

    def loss() -> Tensor:
        optimizer.zero_grad()
        weight_penalty = penalty * linear.weight.square().sum()
        weight_penalty.backward()
        return mean() + weight_penalty.detach()

    optimizer.step(loss)
    optimizer.zero_grad()
    return float(mean())
