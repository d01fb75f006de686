"""The first space for images above 64 px; it must not change, because the sweeps that began in it continue in it.

It has pretrained nets only: heads on their frozen features, and the nets fine-tuned. Training a net from scratch takes
hours, and many more photographs than most people have; `--space default` does that.
"""

from collections.abc import Callable, Sequence

from sweep.search.spaces.branches_1 import PHOTO_HEADS, PHOTO_TUNING, suggest_branch
from sweep.search.spaces.space import Suggests
from sweep.trainable.config import TrialConfig

LARGEST_SIDE = 224  # px


def new(backbones: Sequence[str]) -> Callable[[Suggests], TrialConfig]:
    """Returns the `suggest` function of this space for these pretrained nets."""

    def suggest(trial: Suggests) -> TrialConfig:
        archs = ["logistic_head", "mlp_head", *backbones]
        return suggest_branch(trial, archs, backbones, PHOTO_HEADS, PHOTO_TUNING)

    return suggest
