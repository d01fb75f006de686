"""The architectures, one family a file, each behind the same first layer."""

import torch
from torch import Tensor, nn

from trainable.config import TrialConfig
from trainable.models import cnn, mlp, small_resnet, small_vgg
from trainable.precision import numerics

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, which the published runs and every pretrained net use
STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Pixels in [0, 255] to floats of about zero mean; inside the model, so a checkpoint alone can predict."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        # On a CPU also where the net is built on the meta device: arithmetic there imports torch's compiler, 2 s.
        self.register_buffer("mean", 255 * torch.tensor(MEAN, device="cpu").view(3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(STD, device="cpu").view(3, 1, 1))
        self.memory_format = torch.contiguous_format

    def forward(self, images: Tensor) -> Tensor:
        # To float first: a difference of uint8 and float costs torch ten times as much.
        return ((images.float() - self.mean) / self.std).contiguous(memory_format=self.memory_format)


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
        case "small_vgg":
            net = small_vgg.build(config, classes, image_size)
        case _:
            from trainable.models import torchvision_net  # torchvision: 3 s that most workers never need

            net = torchvision_net.build(config, classes)
    return nn.Sequential(Normalize(), net)


def place(model: nn.Module, arch: str, device: torch.device | str) -> nn.Module:
    """Puts what `build` built onto a device, in the memory format that its architecture has there."""
    device = torch.device(device)
    memory_format = torch.channels_last if numerics(arch, device).channels_last else torch.contiguous_format
    for module in model.modules():
        if isinstance(module, Normalize):
            module.memory_format = memory_format
    return model.to(device).to(memory_format=memory_format)
