"""Class weights: how much more an image of a rare class counts in the loss than one of a frequent class.

Imports no torch, so that a config is quick to read.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

BETA = 0.999  # effectively a class has at most 1 / (1 - BETA) images that show something new


def _effective(counts: "Tensor") -> "Tensor":
    """Returns one over the effective number of images, (1 - beta**n) / (1 - beta): Cui et al. 2019 (arXiv 1901.05555).

    The more images a class has, the less each further image adds. So an image of a class of thousands weighs less than
    one of a class of tens, but the ratio is smaller than that of the counts. 0.999 is one of the paper's four betas.
    """
    return (1 - BETA) / (1 - BETA**counts)


WEIGHTS: dict[str, "Callable[[Tensor], Tensor]"] = {  # from (classes,) counts, each at least 1; only ratios matter
    "none": lambda counts: counts**0,
    "inverse": lambda counts: 1 / counts,
    "sqrt_inverse": lambda counts: counts**-0.5,
    "effective": _effective,
}
DEFAULT = "none"
