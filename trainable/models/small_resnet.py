"""A residual net for small images, as He et al. 2015 built for CIFAR-10: three stages, channels doubling."""

import math

from sweep.trainable.models.family import Config, Family, Net

LARGEST_STAGE_PX = 32  # the stem's stride reduces a larger image to at most this side


def build(config: Config, classes: int, image_size: tuple[int, int]) -> Net:
    """Builds the net; `width` multiplies its 8 first channels, and each of its three stages has `depth` blocks."""
    from torch import nn

    from sweep.trainable.models.residual import Block
    from sweep.trainable.torch_changes import Conv2d

    assert config.width is not None
    assert config.depth is not None
    channels = 8 * max(1, round(config.width))  # channels in multiples of 8 are the fastest on every device
    stride = math.ceil(max(image_size) / LARGEST_STAGE_PX)
    kernel = 2 * stride + 1
    layers: list[nn.Module] = [
        Conv2d(3, channels, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    ]
    channels_in = channels
    for stage in range(3):
        for block in range(config.depth):
            layers.append(Block(channels_in, channels << stage, stride=2 if stage > 0 and block == 0 else 1))
            channels_in = channels << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels_in, classes))


FAMILY = Family("small_resnet", {"width": 1.0, "depth": 1}, build, bf16=frozenset({"cpu", "cuda"}))
