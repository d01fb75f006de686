"""The residual block of the small ResNet.

It has a file of its own because it needs torch, and a family's file is read where torch is not imported.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from sweep.trainable.torch_changes import Conv2d


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm, whose result is added to the input (He et al. 2015).

    Where the number of channels or the resolution changes, a 1x1 convolution adapts the input.
    """

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
        """Returns (N, channels, H / stride, W / stride) of (N, channels_in, H, W)."""
        inner = F.relu(self.norm1(self.conv1(images)))
        return F.relu(self.norm2(self.conv2(inner)) + self.skip(images))
