"""The classifiers of `torchvision.models`, from scratch or from ImageNet weights at hand.

torchvision is imported where one of them is built or checked alone: it takes 3 s, which most workers never need.
"""

import difflib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from storage.errors import ConfigError
from trainable.models.family import Config, Family, Net

RESNET18_FILE = "resnet18-f37072fd.pth"
AUXILIARY_HEADS = ("googlenet", "inception_v3")  # they return two outputs in training


def build(config: Config, classes: int, image_size: tuple[int, int]) -> Net:
    import torchvision

    net = torchvision.models.get_model(config.arch, weights=None)
    if config.pretrained:
        # torchvision serves its weights as pickles only: its own reader takes them, and nothing in them but tensors.
        weights = torchvision.models.get_model_weights(config.arch).DEFAULT
        options = {"model_dir": str(weights_folder()), "map_location": "cpu", "check_hash": True, "weights_only": True}
        net.load_state_dict(weights.get_state_dict(**options))
    _replace_last_layer(net, classes)
    return net


def check(config: Config, others: Sequence[str]) -> None:
    """Raises:
    ConfigError: torchvision has no such classifier, or it cannot be trained here, or its weights are not at hand.
    """
    import torchvision

    arch = config.arch
    if arch in AUXILIARY_HEADS:
        smallest = " and takes images of 75 px or more" if arch == "inception_v3" else ""
        raise ConfigError(
            f"`arch` must be a net with one output, got {arch}, which has auxiliary ones in training{smallest}; "
            "resnet50 or efficientnet_b0 do as well"
        )
    known = [name for name in torchvision.models.list_models(module=torchvision.models) if name not in AUXILIARY_HEADS]
    if arch not in known:
        near = difflib.get_close_matches(arch, [*others, *known], n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ConfigError(
            f"unknown `arch`, got {arch}{hint}; it must be one of {', '.join(others)}, or a classifier of "
            f"torchvision.models: {', '.join(known)}"
        )
    if config.pretrained:
        _check_imagenet_file(arch)


def _check_imagenet_file(arch: str) -> None:
    """Checks that the weights that torchvision serves for `arch` are on this machine, and unaltered.

    Raises:
      ConfigError: the file is not there, or is another one; says from where it comes and where it belongs.
    """
    import torchvision

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


def weights_folder() -> Path:
    """The folder `torch.hub` downloads to; see https://docs.pytorch.org/docs/stable/hub.html#where-are-my-downloaded-models-saved."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    # Not `Path.expanduser`, which raises for a user without a home, as in a container under a random number.
    return Path(os.path.expanduser(os.environ.get("TORCH_HOME", f"{cache}/torch"))) / "hub" / "checkpoints"


def resnet18_weights_at_hand() -> bool:
    """Returns whether ImageNet weights of resnet18 are on this machine; the search space asks, at no cost."""
    return (weights_folder() / RESNET18_FILE).exists()


def _replace_last_layer(net: Net, classes: int) -> None:
    """Classifiers of torchvision end in a Linear, but for SqueezeNet, which ends in a 1x1 convolution."""
    from torch import nn

    name, last = [(n, m) for n, m in net.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    parent, _, attribute = name.rpartition(".")
    if isinstance(last, nn.Linear):
        new: nn.Module = nn.Linear(last.in_features, classes)
    else:
        new = nn.Conv2d(last.in_channels, classes, kernel_size=1)
    setattr(net.get_submodule(parent), attribute, new)


# On a CPU its convolutions of one channel each lose more to conversions than bf16 wins.
FAMILY = Family("torchvision", {"pretrained": False}, build, bf16=frozenset({"cuda"}), waits=True, check=check)
