"""How much a net computes for an image, and so about how long an epoch takes on a CPU."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sweep.trainable.models import staged
from sweep.trainable.models.calls import calls_of

# Of a training step, forward and back, on one thread of an AMD EPYC: convolutions with many channels are bound by
# multiplications, depthwise ones by what they read and write. A ResNet-18 at 16 px comes out at 1.3 of the time that
# was measured, an EfficientNet-Lite0 at 64 px at its own.
SECONDS_A_MULTIPLICATION = 3 / 60e9
SECONDS_AN_OUTPUT = 9e-9
FORWARD = 1 / 3  # of a training step: the other two passes are for the gradients of what comes in, and of the weights
LAYERS = nn.Conv2d | nn.Linear


@dataclass
class Work:
    """What the pass forward of one image takes.

    Attributes:
      multiplications: in convolutions and matrix products with weights.
      outputs: numbers that these layers write.
      largest: numbers that the one writes which writes most.
    """

    multiplications: int = 0
    outputs: int = 0
    largest: int = 0

    def add(self, layer: nn.Module, outputs: Tensor) -> None:
        """Adds a call of a layer; of any other module nothing."""
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
        """About how long a step takes on one thread of a CPU, for each image in it."""
        return self.multiplications * SECONDS_A_MULTIPLICATION + self.outputs * SECONDS_AN_OUTPUT


@contextmanager
def counted(net: nn.Module) -> Iterator[Work]:
    """Yields the work of the passes that are made in the block, for one image; a batch may have none."""
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
    """Returns `training_seconds` of the first stage of a net, of the first two and so on; the last is all but the
    classifier.

    Args:
      images: as `trainable.models.staged.stages` takes them.
    """
    ends, last = staged.stages(net, images).ends, staged.classifier_names(net)
    calls = calls_of(net, images)
    limits = [max(call.ended for call in calls if call.name == end) for end in ends]
    limits.append(min(call.began for call in calls if call.name in last))
    fronts = []
    for limit in limits:
        work = Work()
        for call in calls:
            if call.ended <= limit:
                work.add(net.get_submodule(call.name), call.output)
        fronts.append(work.training_seconds)
    return tuple(fronts)
