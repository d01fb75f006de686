"""The contract of a family of architectures; read where torch is not, so what builds a net imports torch itself."""

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
    Config = Net = Any  # for a family's file to say what its functions take and return


@dataclass(frozen=True)
class Preprocessing:
    """How pixels become what a net takes; of a pretrained net this is what its weights were trained with.

    Attributes:
      mean, std: of each channel, as parts of 255; the net's first layer takes pixels to about zero mean.
      interpolation: `bilinear` or `bicubic`, how images are resized to `input_size` within the net.
      size: the side in px that the weights were trained at; None where a net has no such size.
      fixed: images are resized to `size` where the config names no `input_size`: the net takes them at one size.
      crop: the share of an image's side that is seen, in the middle: that which the weights were judged on where the
        config asks for it, else all of it.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    size: int | None = None
    crop: float = 1.0
    fixed: bool = False

    @staticmethod
    def read(values: Mapping[str, Any], crops: bool) -> "Preprocessing":
        """Returns it from the values of its attributes, as JSON has them.

        Args:
          crops: the crop is made; else all of an image is seen.
        """
        crop = values["crop"] if crops else 1.0
        return Preprocessing(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"]), "crop": crop})

    def input_size(self, config: Config, image_size: tuple[int, int]) -> tuple[int, int]:
        """Returns the height and width that the net sees, of images that are kept at this height and width."""
        side = config.input_size or (self.size if self.fixed else None)
        return (side, side) if side else image_size


# The published runs and every net from scratch have these; a pretrained net has those of its own weights.
FROM_SCRATCH = Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Family:
    """The architectures that one file builds, and how they compute.

    Attributes:
      name: of the architecture; of a family of many, what they are called together.
      shape: the shape fields of `TrialConfig` that it must be given, each with its value at the published size.
      optional: the shape fields that it may be given; None leaves them out.
      unread: the fields that every config has and that change nothing here, so that they are not shown.
      build: builds the net for a config, a number of classes and images of this height and width, which are those of
        `Preprocessing.input_size`: from (N, 3, H, W) normalised pixels to (N, classes) logits, on the CPU, its weights
        drawn from torch's global generator.
      bf16: the types of devices, `cpu` and `cuda`, on which it multiplies in 16 bits: in bf16 where the device has
        units for that, in float16 on older GPUs (`trainable.precision`); sums, weights and loss stay in float32.
        BENCHMARKS.md has the measurements, under "Precision".
      channels_last: convolutions on (N, H, W, C) in memory instead of (N, C, H, W).
      prefix: what the names of its architectures begin with, for a family of many; empty for one of one name.
      preprocessing: how a config's net takes pixels.
      prepare: computes what trials of other configs need as well and `train` would compute if it is not there, a
        step at a time.
      train: trains a config in place of `trainable.loop.train`, for what is no descent by batches; None for the rest.
      check: raises a ConfigError where there is no such architecture, or what it needs is not on this machine;
        `others` are the names of the families beside it.
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
        """The shape fields of `TrialConfig` that it reads."""
        return self.optional | self.shape.keys()
