"""Multinomial logistic regression on the features of a frozen net.

The loss is the mean cross entropy and `penalty` times the sum of all squared weights, of features with mean 0 and
deviation 1. It has one minimum, which L-BFGS finds, so there is no rate and nothing is drawn.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trainable.models.family import Config, Family, Net, Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from datasets.pixels.dataset import Dataset
    from trainable.features.matrix import Features
    from trainable.metrics.history import EpochMetrics
    from trainable.state import TrainState

STEPS = 200  # of L-BFGS, at most: beyond them the predictions of no image change
REMEMBERED = 10  # steps by which it estimates the curvature
TOLERANCE = 1e-5  # of the largest part of the gradient, and of a step


def build(config: Config, classes: int, input_size: tuple[int, int]) -> Net:
    from torch import nn

    from trainable.models import head

    net = head.build(config, input_size)
    net.head = nn.Linear(net.count, classes)
    return net


def train(config: Config, data: "Dataset", state: "TrainState") -> Iterator["EpochMetrics"]:
    from trainable.features import learning

    return learning.train(config, data, state, fit)


def fit(config: Config, linear: Any, features: "Features", labels: "Tensor") -> float:
    """Leaves the minimum in `linear`, and returns the mean cross entropy there."""
    assert config.penalty is not None
    return solve(linear, features.blocks, labels, config.penalty, config.label_smoothing)


def solve(
    linear: Any,
    blocks: "Callable[[], Iterable[Tensor]]",
    labels: "Tensor",
    penalty: float,
    label_smoothing: float = 0.0,
) -> float:
    """Leaves the minimum in a linear layer, and returns the mean cross entropy there.

    Args:
      blocks: returns the standardised features, (n, F) at a time, in order: not all of them need be in memory.
      labels: (N,) class indices.
    """
    import torch
    from torch.nn import functional as F

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

    def entropy() -> "Tensor":
        """Returns the mean cross entropy, and adds its gradient to that of the parameters."""
        total, start = torch.zeros((), device=labels.device), 0
        for block in blocks():
            truth = labels[start : start + len(block)]
            part = F.cross_entropy(linear(block), truth, label_smoothing=label_smoothing, reduction="sum")
            part = part / len(labels)
            part.backward()
            total, start = total + part.detach(), start + len(block)
        return total

    def loss() -> "Tensor":
        optimizer.zero_grad()
        regular = penalty * linear.weight.square().sum()
        regular.backward()
        return entropy() + regular.detach()

    optimizer.step(loss)
    optimizer.zero_grad()
    return float(entropy())


def preprocessing(config: Config) -> Preprocessing:
    from trainable.models import head

    return head.preprocessing(config)


def check(config: Config, others: Sequence[str]) -> None:
    from trainable.models import head

    head.check(config)


SHAPE: dict[str, Any] = {"backbone": "timm/tf_efficientnet_lite0", "penalty": 0.1}
FAMILY = Family(
    "logistic_head",
    SHAPE,
    build,
    bf16=frozenset({"cpu", "cuda"}),  # of the backbone, which only goes forward
    waits=True,
    optional=frozenset({"input_size", "stages", "pooling", "flip", "pretrained"}),
    preprocessing=preprocessing,
    train=train,
    check=check,
)
