"""How much more an image of a rare class counts in the loss than one of a frequent class.

Imports no torch, so that a config is quick to read.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

BETA = 0.999  # of the effective number: a class has at most 1 / (1 - BETA) images that tell something new


def _effective(counts: "Tensor") -> "Tensor":
    """Cui et al. 2019 (arXiv 1901.05555): by one over the effective number of images, (1 - beta**n) / (1 - beta).

    The more images a class has, the less each further one adds to what they show, so a class of thousands weighs
    less against one of tens than by the counts themselves. 0.999 is one of the four betas of the paper.
    """
    return (1 - BETA) / (1 - BETA**counts)


WEIGHTS: dict[str, "Callable[[Tensor], Tensor]"] = {  # of (classes,) counts, each at least 1; their scale is free
    "none": lambda counts: counts**0,
    "inverse": lambda counts: 1 / counts,
    "sqrt_inverse": lambda counts: counts**-0.5,
    "effective": _effective,
}
DEFAULT = "none"
