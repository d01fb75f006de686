"""The contract of a family of architectures.

It is read where torch is not imported, so a function that builds a net imports torch itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module as Net

    from sweep.datasets.pixels.dataset import Dataset
    from sweep.trainable.config import TrialConfig as Config
    from sweep.trainable.features import Prepared
    from sweep.trainable.metrics.history import EpochMetrics
    from sweep.trainable.state import TrainState

    Prepare = Callable[[Config, Dataset, TrainState], Iterator[Prepared]]
    Train = Callable[[Config, Dataset, TrainState], Iterator[EpochMetrics]]
else:
    Config = Net = Any  # so that a family's file can annotate its functions without importing torch


@dataclass(frozen=True)
class Preprocessing:
    """How pixels become the input of a net; for a pretrained net, it is as its weights were trained.

    Attributes:
      mean, std: for each channel, as fractions of 255; the net's first layer uses them to normalise pixels.
      interpolation: `bilinear` or `bicubic`, how images are resized to `input_size` within the net.
      size: the side in px at which the weights were trained; None if the net has no such size.
      fixed: whether the net takes images of one size only; they are then resized to `size` unless the config names an
        `input_size`.
      crop: the share of an image's side that the net sees, in the middle. It is below 1 only if the config asks for the
        crop with which the weights were evaluated.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    size: int | None = None
    crop: float = 1.0
    fixed: bool = False

    @staticmethod
    def read(values: Mapping[str, Any], crops: bool) -> "Preprocessing":
        """Returns the preprocessing with these values of its attributes, as JSON holds them.

        Args:
          crops: whether to keep the crop; without it the net sees the whole image.
        """
        crop = values["crop"] if crops else 1.0
        return Preprocessing(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"]), "crop": crop})

    def input_size(self, config: Config, image_size: tuple[int, int]) -> tuple[int, int]:
        """Returns the (height, width) that the net sees for images that are stored at this (height, width)."""
        side = config.input_size or (self.size if self.fixed else None)
        return (side, side) if side else image_size


# For every net from scratch, as in the published runs; a pretrained net has the values of its own weights.
FROM_SCRATCH = Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Family:
    """The architectures that one file builds, and how they compute.

    Attributes:
      name: the name of the architecture, or of the whole family if it has many architectures.
      shape: the shape fields of `TrialConfig` that a config must set, each with its value at the published size.
      optional: the shape fields that a config may set.
      unread: the fields that every config has but that change nothing for this family, so that they are not shown.
      build: builds the net for a config, a number of classes and the (height, width) that `Preprocessing.input_size`
        returns. The net maps (N, 3, H, W) normalised pixels to (N, classes) logits; it is on the CPU, and its weights
        are drawn from torch's global generator.
      bf16: the types of devices, `cpu` and `cuda`, on which it multiplies in 16 bits: in bf16 if the device has
        units for that, in float16 on older GPUs (`trainable.precision`). Sums, weights and loss stay in float32.
        BENCHMARKS.md has the measurements, under "Precision".
      channels_last: whether images lie in memory as (N, H, W, C) instead of (N, C, H, W).
      prefix: the beginning of the names of its architectures, for a family of many; empty for a family of one.
      preprocessing: returns how the net of a config takes pixels.
      prepare: computes, a step at a time, results that other trials need too; `train` computes what is missing. None
        for the families that `trainable.loop.prepare` prepares in the common way.
      train: trains a config in place of `trainable.loop.train`, if training is not gradient descent over batches; else
        None.
      check: raises a ConfigError if there is no such architecture, or something that it needs is not on this machine;
        `others` are the names of the other families.
    """

    name: str
    shape: Mapping[str, Any]
    build: Callable[[Config, int, tuple[int, int]], Net]
    bf16: frozenset[str] = frozenset()
    channels_last: bool = True
    optional: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    prefix: str = ""
    preprocessing: Callable[[Config], Preprocessing] = lambda config: FROM_SCRATCH
    prepare: "Prepare | None" = None
    train: "Train | None" = None
    check: Callable[[Config, Sequence[str]], None] = lambda config, others: None

    @property
    def fields(self) -> frozenset[str]:
        """The shape fields of `TrialConfig` that the family reads."""
        return self.optional | self.shape.keys()
