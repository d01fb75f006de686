"""How much a net computes for an image, and so about how long an epoch takes on a CPU."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

# Of a training step, forward and back, on one thread of an AMD EPYC: convolutions with many channels are bound by
# multiplications, depthwise ones by what they read and write. A ResNet-18 at 16 px comes out at 1.3 of the time that
# was measured, an EfficientNet-Lite0 at 64 px at its own.
SECONDS_A_MULTIPLICATION = 3 / 60e9
SECONDS_AN_OUTPUT = 9e-9


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

    @property
    def training_seconds(self) -> float:
        """About how long a step takes on one thread of a CPU, for each image in it."""
        return self.multiplications * SECONDS_A_MULTIPLICATION + self.outputs * SECONDS_AN_OUTPUT


@contextmanager
def counted(net: nn.Module) -> Iterator[Work]:
    """Yields the work of the passes that are made in the block, for one image; a batch may have none."""
    work = Work()

    def add(layer: nn.Module, _: Any, outputs: Tensor) -> None:
        numbers = math.prod(outputs.shape[1:])
        work.outputs += numbers
        work.largest = max(work.largest, numbers)
        if isinstance(layer, nn.Linear):
            work.multiplications += numbers * layer.in_features
        elif isinstance(layer, nn.Conv2d):
            work.multiplications += numbers * math.prod(layer.kernel_size) * layer.in_channels // layer.groups

    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    try:
        yield work
    finally:
        for hook in hooks:
            hook.remove()
