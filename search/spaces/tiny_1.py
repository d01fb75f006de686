"""The first space for images up to 64 px; frozen, for sweeps that began in it go on in it.

Heads on the frozen features of pretrained nets, which see the images enlarged; these nets fine-tuned; and small nets
from scratch, which see them as they are.
"""

from collections.abc import Callable, Sequence

from sweep.search.spaces.branches_1 import TINY_HEADS, TINY_TUNING, suggest_branch
from sweep.search.spaces.space import Suggests
from sweep.trainable.config import TrialConfig

LARGEST_SIDE = 64  # px


def new(backbones: Sequence[str]) -> Callable[[Suggests], TrialConfig]:
    """Returns the space for these pretrained nets."""

    def suggest(trial: Suggests) -> TrialConfig:
        archs = ["logistic_head", "mlp_head", *backbones, "small_resnet", "cnn"]
        return suggest_branch(trial, archs, backbones, TINY_HEADS, TINY_TUNING)

    return suggest
