"""Multinomial logistic regression on the features of a frozen net.

What is minimised is the mean loss and `penalty` times the sum of all squared weights, of features with mean 0 and
deviation 1. It has one minimum, which L-BFGS finds, so there is no rate and nothing is drawn: weights of classes leave
it convex, and balanced sampling is a weight of each image here. Of focal loss alone it finds a minimum among others.
"""

from typing import TYPE_CHECKING, Any

from sweep.trainable.models.family import Config, Net
from sweep.trainable.models.head_family import head_family

if TYPE_CHECKING:
    from torch import Tensor

    from sweep.trainable.features.matrix import Features


def last_part(config: Config, features: int, classes: int) -> Net:
    from torch import nn

    return nn.Linear(features, classes)


def fit(config: Config, linear: Any, features: "Features", labels: "Tensor") -> float:
    """Leaves the minimum in `linear`, and returns the mean loss there."""
    from sweep.trainable.features.solution import solve
    from sweep.trainable.objective import Objective
    from sweep.trainable.sampling import Sampling

    assert config.penalty is not None
    sampling = Sampling(labels, linear.out_features, config.balanced)
    objective = Objective(config, sampling, labels.device).of_each_image_once()
    return solve(linear, features.blocks, labels, config.penalty, objective)


FAMILY = head_family(
    "logistic_head",
    {"penalty": 0.1},
    last_part,
    fit,
    unread=frozenset({"schedule", "lr", "warmup", "weight_decay", "batch_size"}),
)
