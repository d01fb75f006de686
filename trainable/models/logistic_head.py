"""Multinomial logistic regression on the features of a frozen net.

It minimises the mean loss plus `penalty` times the sum of all squared weights; features have mean 0 and deviation 1.
L-BFGS finds the one minimum, so there is no learning rate, and nothing is drawn. Class weights leave the problem
convex, and balanced sampling becomes a weight of each image. Focal loss alone is not convex: there L-BFGS finds one of
several minima.
"""

from typing import TYPE_CHECKING, Any

from sweep.trainable.models.family import Config, Net
from sweep.trainable.models.head_family import head_family

if TYPE_CHECKING:
    from torch import Tensor

    from sweep.trainable.features.matrix import Features


def last_part(config: Config, features: int, classes: int) -> Net:
    """Builds the linear layer from features to logits."""
    from torch import nn

    return nn.Linear(features, classes)


def fit(config: Config, linear: Any, features: "Features", labels: "Tensor") -> float:
    """Trains `linear`: sets it to the minimum, and returns the mean loss there."""
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
