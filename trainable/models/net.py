"""Builds the net of a config: the net of its family, behind a layer that normalises the pixels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sweep.trainable import precision
from sweep.trainable.config import ConfigError, TrialConfig
from sweep.trainable.models import check, family_of, front, staged
from sweep.trainable.models.family import Preprocessing


class Normalize(nn.Module):
    """Turns pixels in [0, 255] into floats of about zero mean, at the size that the net takes.

    The layer is part of the model, so a checkpoint alone can predict.

    Attributes:
      mean, std: (3, 1, 1), in units of pixel values.
      rows, columns: the matrices that resize the two sides of an image; only there if images are resized.
    """

    mean: Tensor
    std: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, preprocessing: Preprocessing, image_size: tuple[int, int], input_size: tuple[int, int]) -> None:
        """Prepares the normalisation, and the resizing if one is needed.

        Args:
          image_size, input_size: the height and width of the images as they come, and as the net takes them.
        """
        super().__init__()
        # On a CPU even if the net is built on the meta device, where arithmetic would import torch's compiler (2 s).
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean, device="cpu").view(3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std, device="cpu").view(3, 1, 1))
        self.memory_format = torch.contiguous_format
        self.input_size, self.resizes = input_size, image_size != input_size or preprocessing.crop < 1
        self.overshoots = preprocessing.interpolation == "bicubic"
        if self.resizes:  # the matrices follow from the config, so no state dict holds them
            for name, old, new in zip(("rows", "columns"), image_size, input_size, strict=True):
                matrix = resizing(old, new, preprocessing.interpolation, preprocessing.crop)
                self.register_buffer(name, matrix, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Returns normalised float images of (N, 3, H, W) pixels, resized if necessary."""
        # To float first: torch takes ten times as long to subtract a float from uint8.
        images = images.float()
        if self.resizes:
            images = self._resized(images)
        return ((images - self.mean) / self.std).contiguous(memory_format=self.memory_format)

    def _resized(self, images: Tensor) -> Tensor:
        device = images.device.type
        if device != "meta" and torch.is_autocast_enabled(device):  # bf16 is too coarse for a pixel's 256 values
            with torch.autocast(device, enabled=False):
                resized = self.rows @ images @ self.columns.T
        else:  # an exported graph has no autocast
            resized = self.rows @ images @ self.columns.T
        return resized.clamp(0, 255) if self.overshoots else resized


def seen_size(model: nn.Module, image_size: tuple[int, int]) -> tuple[int, int]:
    """Returns the (height, width) at which a model that `build` built sees images of this (height, width)."""
    first = next(model.children(), None)
    return first.input_size if isinstance(first, Normalize) else image_size


def resizing(old: int, new: int, interpolation: str, crop: float = 1.0) -> Tensor:
    """Returns the (new, old) matrix that resizes one side of an image as torch's antialiased resizing does.

    With a crop below 1 it resizes to a longer side and keeps the middle of it, as when weights are evaluated.

    Resizing is linear, so its matrix is the result of resizing the unit matrix. A matrix product gives the same numbers
    in every runtime of an exported file, which `Resize` of ONNX does not.
    """
    unit = torch.eye(old, device="cpu")[None, None]
    long_side = round(new / crop)
    margin = (long_side - new) // 2
    matrix = F.interpolate(unit, size=(long_side, old), mode=interpolation, antialias=True)[0, 0]
    return matrix[margin : margin + new]


def build(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> nn.Module:
    """Builds the net of `config`, with weights drawn from torch's global generator.

    Args:
      image_size: height and width in pixels.

    Returns:
      A module from (N, 3, H, W) pixels in [0, 255], uint8 or float, to (N, classes) logits.

    Raises:
      ConfigError: the architecture does not exist, or its pretrained weights are not on this machine.
    """
    check(config)
    family = family_of(config.arch)
    preprocessing = family.preprocessing(config)
    input_size = preprocessing.input_size(config, image_size)
    net = family.build(config, classes, input_size)
    if not isinstance(net, nn.Module):
        raise ConfigError(f"{config.arch}: must return a torch.nn.Module, got {type(net).__name__}")
    if not any(parameter.is_meta for parameter in net.parameters()):  # a net on the meta device computes nothing
        if config.frozen_stages:
            front.freeze_front(net, config.frozen_stages, torch.zeros(1, 3, *input_size))
        if config.layer_decay:
            staged.stages(net, torch.zeros(1, 3, *input_size))
    return nn.Sequential(Normalize(preprocessing, image_size, input_size), net)


def place(model: nn.Module, arch: str, device: torch.device | str) -> nn.Module:
    """Moves a model that `build` built to a device, in the memory format that its architecture uses there."""
    device = torch.device(device)
    channels_last = precision.numerics(arch, device).channels_last
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    for module in model.modules():
        if isinstance(module, Normalize):
            module.memory_format = memory_format
    return model.to(device).to(memory_format=memory_format)
