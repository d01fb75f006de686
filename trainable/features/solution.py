"""The solution of multinomial logistic regression: found without a rate or a draw.

There is one minimum, but for losses that are not convex, whose files say so.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from sweep.trainable.objective import Objective

STEPS = 200  # of L-BFGS, at most: beyond them the predictions of no image change
REMEMBERED = 10  # steps by which it estimates the curvature
TOLERANCE = 1e-5  # of the largest part of the gradient, and of a step


def solve(
    linear: nn.Linear,
    blocks: Callable[[], Iterable[Tensor]],
    labels: Tensor,
    penalty: float,
    objective: Objective,
) -> float:
    """Leaves the minimum in a linear layer, and returns the mean loss there.

    Args:
      blocks: returns the standardised features, (n, F) at a time, in order: not all of them need be in memory.
      labels: (N,) class indices.
      objective: for all images at once, `Objective.of_each_image_once`.
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
        regular = penalty * linear.weight.square().sum()
        regular.backward()
        return mean() + regular.detach()

    optimizer.step(loss)
    optimizer.zero_grad()
    return float(mean())
