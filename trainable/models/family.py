"""The contract of a family of architectures; read where torch is not, so what builds a net imports torch itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module as Net

    from trainable.config import TrialConfig as Config
else:
    Config = Net = Any  # for a family's file to say what its functions take and return

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # which the published runs and every pretrained net use
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Family:
    """The architectures that one file builds, and how they compute.

    Attributes:
      name: of the architecture; of a family of many, what they are called together.
      shape: the shape fields of `TrialConfig` that it reads, each with its value at the published size.
      build: builds the net for a config, a number of classes and images of this height and width: from (N, 3, H, W)
        normalised pixels to (N, classes) logits, on the CPU, its weights drawn from torch's global generator.
      bf16: the types of devices, `cpu` and `cuda`, on which it multiplies in bf16, where the device has units for
        that; sums, weights and loss stay in float32. BENCHMARKS.md has the measurements, under "Precision".
      channels_last: convolutions on (N, H, W, C) in memory instead of (N, C, H, W).
      waits: a step in training may wait for the device, so that no CUDA graph can be made of it.
      mean, std: of each channel, as parts of 255; the net's first layer takes pixels to about zero mean.
      check: raises a ConfigError where there is no such architecture, or what it needs is not on this machine;
        `others` are the names of the families beside it.
    """

    name: str
    shape: Mapping[str, Any]
    build: Callable[[Config, int, tuple[int, int]], Net]
    bf16: frozenset[str] = frozenset()
    channels_last: bool = True
    waits: bool = False
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    check: Callable[[Config, Sequence[str]], None] = lambda config, others: None
