"""The classifiers of `torchvision.models`, from scratch or with pretrained weights.

They are named `torchvision/NAME`, or `torchvision/NAME.WEIGHTS` for another set of weights than the default one. A
bare name is the older form, from before there were other libraries; such a net takes pixels as nets from scratch do.

torchvision is imported only when one of its nets is built or checked, because the import takes 3 s and most workers
never need it.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Any

from sweep.storage.errors import ConfigError
from sweep.trainable.models import loading
from sweep.trainable.models.family import FROM_SCRATCH, Config, Net, Preprocessing
from sweep.trainable.models.known import known

PREFIX = "torchvision/"
# These nets are built without the auxiliary heads that they have in training. Their pretrained weights need pixels
# normalised in another way than other nets of torchvision; with `transform_input` the net converts them itself.
AUXILIARY = {"aux_logits": False, "transform_input": True, "init_weights": True}
AUXILIARY_HEADS = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
# Nets whose names begin like this take images of one size only; this is torchvision's keyword for the size.
SIZE_OPTIONS = {"vit_": "image_size", "maxvit_": "input_size"}


def build(config: Config, classes: int, input_size: tuple[int, int]) -> Net:
    """Builds the net, with pretrained weights if the config asks for them."""
    import torchvision

    name = _name(config.arch)
    options: dict[str, Any] = AUXILIARY if name in AUXILIARY_HEADS else {}
    if size_option := _size_option(name):
        options = {size_option: input_size[0] if size_option == "image_size" else input_size}
    net = torchvision.models.get_model(name, weights=None, **options)
    last = replace_last_layer(net, classes)
    _set_dropout(config, net, last)
    _set_drop_path(config, net)
    if config.pretrained:
        from sweep.trainable.weights import state_dict

        weights = state_dict(PREFIX + config.arch.removeprefix(PREFIX))
        loading.load(config.arch, net, _adapt_weights(name, net, weights), last)
    return loading.cut_to_stages(config, net, classes, input_size)


def preprocessing(config: Config) -> Preprocessing:
    """Returns how the net takes pixels, as torchvision records it for the weights.

    A bare name takes pixels as nets from scratch do, unless the config asks for the crop of the weights.
    """
    if not config.arch.startswith(PREFIX) and not config.center_crop:
        return FROM_SCRATCH

    def find() -> dict[str, Any]:
        transforms = served_weights(config.arch).transforms()
        size = transforms.crop_size[0]
        return {
            "mean": transforms.mean,
            "std": transforms.std,
            "interpolation": transforms.interpolation.value,
            "size": size,
            "crop": size / transforms.resize_size[0],
            "fixed": _size_option(_name(config.arch)) is not None,
        }

    return loading.preprocessing_of(config, find)


def served_weights(arch: str) -> Any:
    """Returns torchvision's own record of the weights: their address, and how they were trained."""
    import torchvision

    _, _, tag = arch.removeprefix(PREFIX).partition(".")
    choices = torchvision.models.get_model_weights(_name(arch))
    return choices[tag] if tag else choices.DEFAULT


def check(config: Config, others: Sequence[str]) -> None:
    """Checks that torchvision has the net and its weights; the result is stored on this machine.

    Raises:
      ConfigError: torchvision has no such classifier, or no such weights for it.
    """
    known({"is": config.arch}, lambda: _check(config.arch, others))


def _check(arch: str, others: Sequence[str]) -> None:
    """Raises a ConfigError if torchvision has no such classifier, or no such weights for it."""
    import torchvision

    name = _name(arch)
    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        prefix = PREFIX if arch.startswith(PREFIX) else ""
        matches = difflib.get_close_matches(arch, [*others, *(prefix + each for each in names)], n=1)
        hint = f" (did you mean {matches[0]}?)" if matches else ""
        raise ConfigError(
            f"unknown `arch`, got {arch}{hint}; it must be one of {', '.join(others)}, timm/NAME, or a classifier of "
            f"torchvision.models: {', '.join(names)}"
        )
    _, _, tag = arch.removeprefix(PREFIX).partition(".")
    tags = [each.name for each in torchvision.models.get_model_weights(name)]
    if tag and tag not in tags:
        raise ConfigError(f"unknown `arch`, got {arch}: the weights of {PREFIX}{name} are {', '.join(tags)}")


def replace_last_layer(net: Net, classes: int) -> str:
    """Gives a net as many outputs as there are classes, and returns the name of the new layer.

    Classifiers of torchvision end in a Linear layer, except SqueezeNet, which ends in a 1x1 convolution.
    """
    from torch import nn

    name, last = [(n, m) for n, m in net.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    if isinstance(last, nn.Linear):
        new_layer: nn.Module = nn.Linear(last.in_features, classes)
    else:
        new_layer = nn.Conv2d(last.in_channels, classes, kernel_size=1)
    net.set_submodule(name, new_layer)
    return name


def _name(arch: str) -> str:
    return arch.removeprefix(PREFIX).partition(".")[0]


def _size_option(name: str) -> str | None:
    """Returns torchvision's keyword for the size for which a net is built, or None if the net takes any size."""
    return next((option for beginning, option in SIZE_OPTIONS.items() if name.startswith(beginning)), None)


def _adapt_weights(name: str, net: Net, state: Any) -> dict[str, Any]:
    """Returns the weights under the names and in the shapes in which torchvision itself would load them."""
    state = {key: value for key, value in state.items() if not key.startswith(AUXILIARY_HEADS.get(name, ()) or ("\0",))}
    if name.startswith("densenet"):  # saved when names could contain a dot: norm.1, conv.2
        state = {re.sub(r"\.(norm|conv)\.([12])\.", r".\1\2.", key): value for key, value in state.items()}
    positions = "encoder.pos_embedding"
    if name.startswith("vit_") and positions in state:
        from torchvision.models.vision_transformer import interpolate_embeddings

        if state[positions].shape != net.state_dict()[positions].shape:
            state = interpolate_embeddings(net.image_size, net.patch_size, dict(state))
    return state


def _set_dropout(config: Config, net: Net, last: str) -> None:
    """Sets the dropout before the last layer; adds one if the net has none."""
    if config.dropout is None:
        return
    from torch import nn

    from sweep.trainable.models.dropped import DroppedConv2d, DroppedLinear

    modules = dict(net.named_modules())
    names = list(modules)
    previous = modules[names[names.index(last) - 1]]
    if isinstance(previous, nn.Dropout) and previous is not net:
        previous.p = config.dropout
        return
    layer = modules[last]
    layer.__class__ = DroppedLinear if isinstance(layer, nn.Linear) else DroppedConv2d
    layer.dropout = config.dropout


def _set_drop_path(config: Config, net: Net) -> None:
    """Sets the probability with which residual branches are skipped; it rises from 0 to the config's value.

    Raises:
      ConfigError: the net has no residual branches that torchvision can skip.
    """
    if config.drop_path is None:
        return
    from torchvision.ops import StochasticDepth

    branches = [module for module in net.modules() if isinstance(module, StochasticDepth)]
    if not branches:
        raise ConfigError(
            f"`drop_path` must be left out for arch={config.arch}, which has no residual branches to leave out"
        )
    for number, branch in enumerate(branches):  # rising linearly, as in Huang et al. 2016
        branch.p = config.drop_path * number / max(1, len(branches) - 1)


FAMILY = loading.catalogue("torchvision", PREFIX, build, preprocessing, check)
