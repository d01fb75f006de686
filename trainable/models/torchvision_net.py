"""ResNet-18 and every other classifier of `torchvision.models`, from scratch or from ImageNet weights at hand."""

import difflib
import hashlib
from pathlib import Path

import torchvision
from torch import nn

from trainable.config import FAMILIES, ConfigError, TrialConfig
from trainable.imagenet import weights_folder
from trainable.models.conv import with_short_kernels

AUXILIARY_HEADS = ("googlenet", "inception_v3")  # they return two outputs in training


def build(config: TrialConfig, classes: int) -> nn.Module:
    check_name(config.arch)
    net = torchvision.models.get_model(config.arch, weights=None)
    if config.pretrained:
        # torchvision serves its weights as pickles only: its own reader takes them, and nothing in them but tensors.
        folder = str(imagenet_file(config.arch).parent)
        weights = torchvision.models.get_model_weights(config.arch).DEFAULT
        options = {"model_dir": folder, "map_location": "cpu", "check_hash": True, "weights_only": True}
        net.load_state_dict(weights.get_state_dict(**options))
    _replace_last_layer(net, classes)
    if config.small_stem:
        net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        net.maxpool = nn.Identity()
    return with_short_kernels(net)


def check_name(arch: str) -> None:
    """Raises:
    ConfigError: torchvision has no such classifier, or it cannot be trained here.
    """
    if arch in AUXILIARY_HEADS:
        smallest = " and takes images of 75 px or more" if arch == "inception_v3" else ""
        raise ConfigError(
            f"`arch` must be a net with one output, got {arch}, which has auxiliary ones in training{smallest}; "
            "resnet50 or efficientnet_b0 do as well"
        )
    known = [name for name in torchvision.models.list_models(module=torchvision.models) if name not in AUXILIARY_HEADS]
    if arch not in known:
        near = difflib.get_close_matches(arch, [*FAMILIES, *known], n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ConfigError(
            f"unknown `arch`, got {arch}{hint}; it must be one of {', '.join(FAMILIES)}, or a classifier of "
            f"torchvision.models: {', '.join(known)}"
        )


def imagenet_file(arch: str) -> Path:
    """The weights that torchvision serves for `arch`, on this machine and unaltered.

    Raises:
      ConfigError: the file is not there, or is another one; says from where it comes and where it belongs.
    """
    url = torchvision.models.get_model_weights(arch).DEFAULT.url
    path = weights_folder() / Path(url).name
    if not path.exists():
        raise ConfigError(f"pretrained=True for arch={arch} needs the file {path}; get it from {url} and put it there")
    # torch.hub checks a file as it downloads it, never one that is there already.
    expected = path.stem.rpartition("-")[2]
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()[: len(expected)]
    if found != expected:
        raise ConfigError(
            f"{path} is damaged: its sha256 must begin with {expected}, got {found}; get it again from {url}"
        )
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
