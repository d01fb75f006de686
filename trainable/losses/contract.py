"""The contract of a loss; each of the files beside this one holds one loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """The cost of an image's logits, for each class that the image could be of.

    Soft labels, label smoothing and class weights are not part of it: `trainable.objective` makes weighted means of
    these costs, in which each class counts by its share in the label.

    Attributes:
      name: as `TrialConfig.loss` has it.
      costs: computes (N, classes) finite costs of at least 0 from (N, classes) float32 logits and the (classes,)
        logarithms of the shares that the classes have in training. It must not wait for the device, because it becomes
        part of a CUDA graph.
    """

    name: str
    costs: Callable[["Tensor", "Tensor"], "Tensor"]
