"""The first space of heads on the frozen features of pretrained nets; frozen, for sweeps that began in it go on in it.

A head is trained in seconds, so this is the space for a first answer, and for large images without a GPU.
"""

from collections.abc import Callable, Sequence

from sweep.search.spaces.branches_1 import PHOTO_HEADS, PHOTO_TUNING, suggest_branch
from sweep.search.spaces.space import Suggests
from sweep.trainable.config import TrialConfig

LARGEST_SIDE = 224  # px


def new(backbones: Sequence[str]) -> Callable[[Suggests], TrialConfig]:
    """Returns the space for these pretrained nets."""

    def suggest(trial: Suggests) -> TrialConfig:
        archs = ["logistic_head", "mlp_head"]
        return suggest_branch(trial, archs, backbones, PHOTO_HEADS, PHOTO_TUNING)

    return suggest
