"""A residual net for small images, as He et al. 2015 built for CIFAR-10: three stages, channels doubling."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from trainable.config import TrialConfig
from trainable.models.conv import Conv2d

LARGEST_STAGE_PX = 32  # a larger image is brought down to this side by the stride of the stem


class Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.skip = nn.Sequential(
                Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, images: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(images)))
        return F.relu(self.norm2(self.conv2(inner)) + self.skip(images))


def build(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> nn.Module:
    assert config.width is not None
    assert config.depth is not None
    channels = 8 * max(1, round(config.width))  # other than multiples of 8 are slower on every device
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
