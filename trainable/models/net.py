"""The net of a config: what its family builds, behind a layer that normalises the pixels."""

import torch
from torch import Tensor, nn

from trainable import precision
from trainable.config import ConfigError, TrialConfig
from trainable.models import check, family_of
from trainable.models.family import Preprocessing


class Normalize(nn.Module):
    """Pixels in [0, 255] to floats of about zero mean; inside the model, so a checkpoint alone can predict."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        # On a CPU also where the net is built on the meta device: arithmetic there imports torch's compiler, 2 s.
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean, device="cpu").view(3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std, device="cpu").view(3, 1, 1))
        self.memory_format = torch.contiguous_format

    def forward(self, images: Tensor) -> Tensor:
        # To float first: a difference of uint8 and float costs torch ten times as much.
        return ((images.float() - self.mean) / self.std).contiguous(memory_format=self.memory_format)


def build(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> nn.Module:
    """Builds the net of `config`, its weights drawn from torch's global generator.

    Args:
      image_size: height and width in pixels.

    Returns:
      A module from (N, 3, H, W) pixels in [0, 255], uint8 or float, to (N, classes) logits.

    Raises:
      ConfigError: the architecture does not exist, or its ImageNet weights are not on this machine.
    """
    check(config)
    family = family_of(config.arch)
    net = family.build(config, classes, image_size)
    if not isinstance(net, nn.Module):
        raise ConfigError(f"{config.arch}: must return a torch.nn.Module, got {type(net).__name__}")
    return nn.Sequential(Normalize(family.preprocessing(config)), net)


def place(model: nn.Module, arch: str, device: torch.device | str) -> nn.Module:
    """Puts what `build` built onto a device, in the memory format that its architecture has there."""
    device = torch.device(device)
    is_last = precision.numerics(arch, device).channels_last
    memory_format = torch.channels_last if is_last else torch.contiguous_format
    for module in model.modules():
        if isinstance(module, Normalize):
            module.memory_format = memory_format
    return model.to(device).to(memory_format=memory_format)
