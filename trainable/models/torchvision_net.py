"""ResNet-18 and every other classifier of `torchvision.models`, from scratch or from ImageNet weights at hand."""

from pathlib import Path

import torch
import torchvision
from torch import nn

from trainable.config import ConfigError, TrialConfig
from trainable.imagenet import weights_folder

AUXILIARY_HEADS = ("googlenet", "inception_v3")  # they return two outputs in training


def build(config: TrialConfig, classes: int) -> nn.Module:
    known = [name for name in torchvision.models.list_models(module=torchvision.models) if name not in AUXILIARY_HEADS]
    if config.arch not in known:
        raise ConfigError(
            f"unknown `arch`, got {config.arch}; use mlp, cnn, small_resnet or a classifier of torchvision.models: "
            f"{', '.join(known)}"
        )
    net = torchvision.models.get_model(config.arch, weights=None)
    if config.pretrained:
        # The only torch.load of the project: torchvision serves its weights in no other format.
        net.load_state_dict(torch.load(imagenet_file(config.arch), map_location="cpu", weights_only=True))
    _replace_last_layer(net, classes)
    if config.small_stem:
        net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        net.maxpool = nn.Identity()
    return net


def imagenet_file(arch: str) -> Path:
    """Raises:
    ConfigError: the file is not on this machine; says from where it comes and where it belongs.
    """
    url = torchvision.models.get_model_weights(arch).DEFAULT.url
    path = weights_folder() / Path(url).name
    if not path.exists():
        raise ConfigError(f"pretrained=True for arch={arch} needs the file {path}; get it from {url} and put it there")
    return path


def _replace_last_layer(net: nn.Module, classes: int) -> None:
    """Classifiers of torchvision end in a Linear, but for SqueezeNet, which ends in a 1x1 convolution."""
    name, last = [(n, m) for n, m in net.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    parent, _, attribute = name.rpartition(".")
    if isinstance(last, nn.Linear):
        new: nn.Module = nn.Linear(last.in_features, classes)
    else:
        new = nn.Conv2d(last.in_channels, classes, kernel_size=1)
    setattr(net.get_submodule(parent), attribute, new)
