"""What a loss is. The files beside this one have one loss each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """What the logits of an image cost, by the class that the image is of.

    Soft labels, label smoothing and weights of classes are not part of it: `trainable.objective` makes means of these
    costs, in which each class counts by its share in the label.

    Attributes:
      name: as `TrialConfig.loss` has it.
      costs: returns (N, classes) finite costs of at least 0, of (N, classes) float32 logits and of the (classes,)
        logarithms of the shares that the classes have in training. Nothing of it waits for the device, for it becomes
        part of a CUDA graph.
    """

    name: str
    costs: Callable[["Tensor", "Tensor"], "Tensor"]
