"""The architectures, one family a file, each behind the same first layer."""

import torch
from torch import Tensor, nn

from trainable.config import TrialConfig
from trainable.models import cnn, mlp, small_resnet, torchvision_net

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, which the published runs and every pretrained net use
STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Pixels in [0, 255] to floats of about zero mean; inside the model, so a checkpoint alone can predict."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(STD).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def build(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> nn.Module:
    """The net of `config`, its weights drawn from torch's global generator.

    Args:
      image_size: height and width in pixels.

    Returns:
      A module from (N, 3, H, W) pixels in [0, 255], uint8 or float, to (N, classes) logits.

    Raises:
      ConfigError: the architecture does not exist, or its ImageNet weights are not on this machine.
    """
    match config.arch:
        case "mlp":
            net = mlp.build(config, classes, image_size)
        case "cnn":
            net = cnn.build(config, classes, image_size)
        case "small_resnet":
            net = small_resnet.build(config, classes, image_size)
        case _:
            net = torchvision_net.build(config, classes)
    model = nn.Sequential(Normalize(), net)
    if any(parameter.ndim == 4 for parameter in model.parameters()):
        model = model.to(memory_format=torch.channels_last)  # faster convolutions on CPU; tensor cores on GPU
    return model
