"""The first trials of the spaces over pretrained nets, in which cheap trials that say much come first.

A linear head on each pretrained net, on its last stage and the unchanged image, is the measure for all other trials.
`RECIPES` has the parameters of the first trial of each further branch: common recipes, by the architecture, or under
`TUNED` for every pretrained net. Parameters that are missing are drawn. The first MLP head uses the side that a linear
head has on a net for 224 px, so that two workers can share the computed features.

No value was chosen by results on the images that this project is measured on, because then its results would look
better than they are. The sampler has to find what suits them, as it does for any other images.
"""

import math
from collections.abc import Callable, Sequence

from sweep.search.spaces.branches_1 import PHOTO_HEADS, TINY_HEADS, Heads
from sweep.storage.sweep_file import Values

TUNED = "a pretrained net"

# Stage -1 is the features before the classifier. They have one pixel, so every pooling gives the same. There is no
# flip, because a second view of the images costs a second pass over them.
_HEAD: Values = dict(arch="logistic_head", stages="-1", pooling="pyramid", flip=False)
_MLP: Values = dict(
    **dict(flip=False, hidden=256, feature_mixup=0.2, head_dropout=0.2),
    **dict(lr_multiple=1.0, decoupled_weight_decay=0.05, label_smoothing=0.1),
)
_TUNED: Values = dict(
    **dict(head_start=True, dropout=0.1, layer_decay=0.9, lr_multiple=0.5, label_smoothing=0.1),
    **dict(decoupled_weight_decay=0.05, tuned_batch_size=64, tuned_epochs=6, ema=0.99, mixup=0.2, cutmix=0.0),
    horizontal_flip=0.5,
)
_SCRATCH: Values = dict(
    **dict(optimizer="nesterov", lr_multiple=1.0, weight_decay=5e-4, label_smoothing=0.1, batch_size=128, epochs=20),
    **dict(horizontal_flip=0.5, vertical_flip=0.0, shift=0.5, cutout=0.0, width=2.0),
)
_PHOTO_RECIPES: dict[str, Values] = {
    "mlp_head": _MLP | dict(input_size=224),
    TUNED: _TUNED | dict(tuned_input_size=160, frozen_stages=1, random_resized_crop=0.5, color_jitter=0.2),
}

HEADS: dict[tuple[str, int], Heads] = {  # by name and number of the space
    ("tiny", 1): TINY_HEADS,
    ("photos", 1): PHOTO_HEADS,
    ("heads", 1): PHOTO_HEADS,
}
RECIPES: dict[tuple[str, int], dict[str, Values]] = {
    ("tiny", 1): {
        "mlp_head": _MLP | dict(input_size=128),
        TUNED: _TUNED | dict(tuned_input_size=64, frozen_stages=2),
        "small_resnet": _SCRATCH | dict(depth=1),
        "cnn": _SCRATCH | dict(optimizer="adamw", depth=2, head=256),
    },
    ("photos", 1): _PHOTO_RECIPES,
    ("heads", 1): _PHOTO_RECIPES,
}


def linear_heads(
    name: str, number: int, backbones: Sequence[str], side_of: Callable[[str], int | None]
) -> dict[str, Values]:
    """Returns a linear head on each pretrained net, by the net's name, as parameters of a space; empty elsewhere.

    Args:
      name, number: the name and number of the space; the result is empty for one without heads.
      side_of: returns the side in px at which the weights of a net were trained; None if there is no such side.
    """
    if (name, number) not in HEADS:
        return {}
    heads = HEADS[name, number]
    low, high, step = heads.sides
    penalty = float(f"{math.sqrt(math.prod(heads.penalties)):.1g}")  # the middle of its range
    configs = {}
    for backbone in backbones:
        side = min(range(low, high + 1, step), key=lambda each: abs(each - (side_of(backbone) or high)))
        configs[backbone] = _HEAD | dict(penalty=penalty, backbone=backbone, input_size=side)
    return configs
