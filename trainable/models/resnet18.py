"""ResNet-18 of torchvision (He et al. 2015), with a stem for small images on request."""

from sweep.trainable.models import torchvision_net
from sweep.trainable.models.family import Config, Family, Net


def build(config: Config, classes: int, image_size: tuple[int, int]) -> Net:
    """Builds the net; with `small_stem` its first convolution is 3x3 without a stride, and no pooling follows it."""
    from torch import nn

    from sweep.trainable.torch_changes import with_short_kernels

    net = torchvision_net.build(config, classes, image_size)
    if config.small_stem:
        net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        net.maxpool = nn.Identity()
    return with_short_kernels(net)


FAMILY = Family(
    "resnet18",
    {"small_stem": False, "pretrained": False},
    build,
    bf16=frozenset({"cpu", "cuda"}),
    check=torchvision_net.check,
)
