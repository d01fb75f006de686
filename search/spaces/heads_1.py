"""The first space of heads on the frozen features of pretrained nets; it must not change, for sweeps continue in it.

A head is trained in seconds, so this space suits a first answer, and large images without a GPU.
"""

from collections.abc import Callable, Sequence

from sweep.search.spaces.branches_1 import PHOTO_HEADS, PHOTO_TUNING, suggest_branch
from sweep.search.spaces.space import Suggests
from sweep.trainable.config import TrialConfig

LARGEST_SIDE = 224  # px


def new(backbones: Sequence[str]) -> Callable[[Suggests], TrialConfig]:
    """Returns the `suggest` function of this space for these pretrained nets."""

    def suggest(trial: Suggests) -> TrialConfig:
        archs = ["logistic_head", "mlp_head"]
        return suggest_branch(trial, archs, backbones, PHOTO_HEADS, PHOTO_TUNING)

    return suggest
