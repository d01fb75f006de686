"""Counts how much a net computes for an image, and so about how long an epoch takes on a CPU."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sweep.trainable.models import staged
from sweep.trainable.models.calls import calls_of

# For a training step, forward and backward, on one thread of an AMD EPYC. Convolutions with many channels are limited
# by multiplications, depthwise ones by what they read and write. The estimate is 1.3 times the measured time for a
# ResNet-18 at 16 px, and equal to it for an EfficientNet-Lite0 at 64 px.
SECONDS_A_MULTIPLICATION = 3 / 60e9
SECONDS_AN_OUTPUT = 9e-9
FORWARD = 1 / 3  # share of a training step; the rest is for the gradients of inputs and weights
LAYERS = nn.Conv2d | nn.Linear


@dataclass
class Work:
    """The arithmetic of one image's forward pass.

    Attributes:
      multiplications: in convolutions and in matrix products with weights.
      outputs: how many numbers these layers write.
      largest: how many numbers the layer writes that writes the most.
    """

    multiplications: int = 0
    outputs: int = 0
    largest: int = 0

    def add(self, layer: nn.Module, outputs: Tensor) -> None:
        """Adds a call of a layer; modules of other kinds add nothing."""
        if not isinstance(layer, LAYERS):
            return
        numbers = math.prod(outputs.shape[1:])
        self.outputs += numbers
        self.largest = max(self.largest, numbers)
        if isinstance(layer, nn.Linear):
            self.multiplications += numbers * layer.in_features
        else:
            self.multiplications += numbers * math.prod(layer.kernel_size) * layer.in_channels // layer.groups

    @property
    def training_seconds(self) -> float:
        """About how long a training step takes on one thread of a CPU, per image."""
        return self.multiplications * SECONDS_A_MULTIPLICATION + self.outputs * SECONDS_AN_OUTPUT


@contextmanager
def counted(net: nn.Module) -> Iterator[Work]:
    """Yields the work per image of the passes in the block; a batch may have no images."""
    work = Work()

    def add(layer: nn.Module, _: Any, outputs: Tensor) -> None:
        work.add(layer, outputs)

    hooks = [layer.register_forward_hook(add) for layer in net.modules() if isinstance(layer, LAYERS)]
    try:
        yield work
    finally:
        for hook in hooks:
            hook.remove()


def front_seconds(net: nn.Module, images: Tensor) -> tuple[float, ...]:
    """Returns `training_seconds` of the first stage of a net, of the first two stages, and so on.

    The last entry is that of everything but the classifier.

    Args:
      images: as `trainable.models.staged.stages` takes them.
    """
    ends, classifiers = staged.stages(net, images).ends, staged.classifier_names(net)
    calls = calls_of(net, images)
    limits = [max(call.ended for call in calls if call.name == end) for end in ends]
    limits.append(min(call.began for call in calls if call.name in classifiers))
    fronts = []
    for limit in limits:
        work = Work()
        for call in calls:
            if call.ended <= limit:
                work.add(net.get_submodule(call.name), call.output)
        fronts.append(work.training_seconds)
    return tuple(fronts)
