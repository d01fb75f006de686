"""The solution of multinomial logistic regression, which is one minimum and found without a rate or a draw."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS = 200  # of L-BFGS, at most: beyond them the predictions of no image change
REMEMBERED = 10  # steps by which it estimates the curvature
TOLERANCE = 1e-5  # of the largest part of the gradient, and of a step


def solve(
    linear: nn.Linear,
    blocks: Callable[[], Iterable[Tensor]],
    labels: Tensor,
    penalty: float,
    label_smoothing: float = 0.0,
) -> float:
    """Leaves the minimum in a linear layer, and returns the mean cross entropy there.

    Args:
      blocks: returns the standardised features, (n, F) at a time, in order: not all of them need be in memory.
      labels: (N,) class indices.
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

    def entropy() -> Tensor:
        """Returns the mean cross entropy, and adds its gradient to that of the parameters."""
        total, start = torch.zeros((), device=labels.device), 0
        for block in blocks():
            truth = labels[start : start + len(block)]
            part = F.cross_entropy(linear(block), truth, label_smoothing=label_smoothing, reduction="sum")
            part = part / len(labels)
            part.backward()
            total, start = total + part.detach(), start + len(block)
        return total

    def loss() -> Tensor:
        optimizer.zero_grad()
        regular = penalty * linear.weight.square().sum()
        regular.backward()
        return entropy() + regular.detach()

    optimizer.step(loss)
    optimizer.zero_grad()
    return float(entropy())
