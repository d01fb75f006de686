"""Multinomial logistic regression on the features of a frozen net.

What is minimised is the mean loss and `penalty` times the sum of all squared weights, of features with mean 0 and
deviation 1. It has one minimum, which L-BFGS finds, so there is no rate and nothing is drawn: weights of classes leave
it convex, and balanced sampling is a weight of each image here. Of focal loss alone it finds a minimum among others.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trainable.models.family import Config, Family, Net, Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from datasets.pixels.dataset import Dataset
    from trainable.features.matrix import Features
    from trainable.metrics.history import EpochMetrics
    from trainable.state import TrainState


def build(config: Config, classes: int, input_size: tuple[int, int]) -> Net:
    from torch import nn

    from trainable.models import head

    net = head.build(config, input_size)
    net.head = nn.Linear(net.count, classes)
    return net


def prepare(config: Config, data: "Dataset", state: "TrainState") -> Iterator[None]:
    from trainable.features import learning

    return learning.prepare(config, data, state)


def train(config: Config, data: "Dataset", state: "TrainState") -> Iterator["EpochMetrics"]:
    from trainable.features import learning

    return learning.train(config, data, state, fit)


def fit(config: Config, linear: Any, features: "Features", labels: "Tensor") -> float:
    """Leaves the minimum in `linear`, and returns the mean loss there."""
    from trainable.features.solution import solve
    from trainable.objective import Objective
    from trainable.sampling import Sampling

    assert config.penalty is not None
    sampling = Sampling(labels, linear.out_features, config.balanced)
    objective = Objective(config, sampling, labels.device).of_each_image_once()
    return solve(linear, features.blocks, labels, config.penalty, objective)


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
    optional=frozenset({"input_size", "center_crop", "stages", "pooling", "flip", "pretrained"}),
    unread=frozenset({"optimizer", "schedule", "lr", "weight_decay", "batch_size", "epochs"}),
    preprocessing=preprocessing,
    prepare=prepare,
    train=train,
    check=check,
)
