"""A model of your own, to be trained in a sweep like any other.

    python -m search.run --sweep sweeps/mine --fix arch=examples/model.py:build --trials 10
    python -m analysis.predict sweeps/mine --code examples/model.py:build

A sweep records the hash of this file: it continues, and predicts, only with the model that it began with.
"""

from torch import nn

from sweep.trainable.config import TrialConfig
from sweep.trainable.models.family import Family


def build(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> nn.Module:
    """A net from (N, 3, H, W) normalised pixels to (N, classes) logits."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, classes),
    )


def build_wide(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> nn.Module:
    assert config.width is not None
    channels = round(8 * config.width)
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, classes),
    )


# A `Family` object says more: here, that `width` is one of its hyperparameters, and that it may use bf16 on a GPU.
#     python -m search.run --fix arch=examples/model.py:WIDE --fix width=2
WIDE = Family("wide", {"width": 1.0}, build_wide, bf16=frozenset({"cuda"}))
