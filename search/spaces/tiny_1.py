"""The first space for images up to 64 px; it must not change, because the sweeps that began in it continue in it.

It has heads on the frozen features of pretrained nets, which see the images enlarged; these nets fine-tuned; and small
nets trained from scratch, which see the images at their own size.
"""

from collections.abc import Callable, Sequence

from sweep.search.spaces.branches_1 import TINY_HEADS, TINY_TUNING, suggest_branch
from sweep.search.spaces.space import Suggests
from sweep.trainable.config import TrialConfig

LARGEST_SIDE = 64  # px


def new(backbones: Sequence[str]) -> Callable[[Suggests], TrialConfig]:
    """Returns the `suggest` function of this space for these pretrained nets."""

    def suggest(trial: Suggests) -> TrialConfig:
        archs = ["logistic_head", "mlp_head", *backbones, "small_resnet", "cnn"]
        return suggest_branch(trial, archs, backbones, TINY_HEADS, TINY_TUNING)

    return suggest
