"""The common part of the families of heads on frozen features of a pretrained net; each family adds its last part."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.datasets import augment
from sweep.trainable.models.family import Config, Family, Net, Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from sweep.datasets.pixels.dataset import Dataset
    from sweep.trainable.features import Prepared
    from sweep.trainable.features.matrix import Features
    from sweep.trainable.metrics.history import EpochMetrics
    from sweep.trainable.state import TrainState

BACKBONE = "timm/tf_efficientnet_lite0"  # the default
FIELDS = frozenset({"input_size", "center_crop", "stages", "pooling", "flip", "pretrained"})
# Features are computed from images without augmentation, and a head has a single epoch.
UNREAD = frozenset({*augment.NAMES, "pipeline", "mixup", "cutmix", "optimizer", "epochs", "clip", "ema"})


def head_family(
    name: str,
    shape: Mapping[str, Any],
    last_part: Callable[[Config, int, int], Net],
    fit: "Callable[[Config, Any, Features, Tensor], float]",
    optional: frozenset[str] = frozenset(),
    unread: frozenset[str] = frozenset(),
) -> Family:
    """Returns a family of heads.

    Args:
      shape: the fields that a config must set besides `backbone`, each with a usual value.
      last_part: builds the part that is trained, for a config, a number of features and a number of classes.
      fit: trains that part on the features and labels of the training images, and returns its loss.
      optional, unread: as in `Family`, in addition to those of every head.
    """

    def build(config: Config, classes: int, input_size: tuple[int, int]) -> Net:
        from sweep.trainable.models import head

        net = head.build(config, input_size)
        net.head = last_part(config, net.count, classes)
        return net

    def train(config: Config, data: "Dataset", state: "TrainState") -> Iterator["EpochMetrics"]:
        from sweep.trainable.features import learning

        return learning.train(config, data, state, fit)

    return Family(
        name,
        {"backbone": BACKBONE, **shape},
        build,
        bf16=frozenset({"cpu", "cuda"}),  # in the backbone, through which no gradient passes
        optional=FIELDS | optional,
        unread=UNREAD | unread,
        preprocessing=preprocessing,
        prepare=prepare,
        train=train,
        check=check,
    )


def prepare(config: Config, data: "Dataset", state: "TrainState") -> Iterator["Prepared"]:
    """Computes the features that are missing, a step at a time."""
    from sweep.trainable.features import learning

    return learning.prepare(config, data, state)


def preprocessing(config: Config) -> Preprocessing:
    """Returns how the backbone takes pixels."""
    from sweep.trainable.models import head

    return head.preprocessing(config)


def check(config: Config, others: Sequence[str]) -> None:
    """Checks that a head can be trained on this machine; raises a ConfigError if it cannot."""
    from sweep.trainable.models import head

    head.check(config)
