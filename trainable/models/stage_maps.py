"""The outputs of a net at the ends of its stages, which `staged.py` finds."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sweep.trainable.models.calls import input_of, output_of
from sweep.trainable.models.staged import Stages, classifier_names, stages


def features(net: nn.Module, images: Tensor, numbers: Sequence[int] | None = None) -> list[Tensor]:
    """Returns the maps that a net computes at the ends of its stages.

    Args:
      images: (N, 3, H, W), normalised, of the size that the net takes.
      numbers: the stages, in rising order; None for all of them.

    Returns:
      One (N, C, H, W) map for each stage; for the last number (N, C, 1, 1), the input of the classifier.
    """
    net_stages = stages(net, images)
    numbers = numbers or range(1, net_stages.count + 1)
    *inner, last = [*numbers, 0] if numbers[-1] < net_stages.count else numbers
    compute = _features_of_timm if net_stages.indices else _features_by_hook
    maps = compute(net, net_stages, images, inner, bool(last))
    if last:
        maps[-1] = maps[-1].flatten(2).mean(2)[:, :, None, None] if maps[-1].ndim > 2 else maps[-1][:, :, None, None]
    return maps


def _features_of_timm(
    net: Any, net_stages: Stages, images: Tensor, inner: Sequence[int], with_last: bool
) -> list[Tensor]:
    """Returns the maps as a net of timm itself gives them.

    Args:
      inner: the numbers of stages.
      with_last: whether the input of the classifier comes after their maps.
    """
    indices = [net_stages.indices[number - 1] for number in inner]
    if not with_last:
        return list(net.forward_intermediates(images, indices=indices, stop_early=True, intermediates_only=True))
    maps: list[Tensor] = []
    if indices:
        final, maps = net.forward_intermediates(images, indices=indices)
    else:
        final = net.forward_features(images)
    return [*maps, net.forward_head(final, pre_logits=True)]


def _features_by_hook(
    net: nn.Module, net_stages: Stages, images: Tensor, inner: Sequence[int], with_last: bool
) -> list[Tensor]:
    """Returns the maps that hooks collect at the ends of the stages; its arguments are those of `_features_of_timm`."""
    ends = [net_stages.ends[number - 1] for number in inner]
    maps: list[Tensor] = []

    def keep(name: str) -> Any:
        return lambda module, arguments, output: maps.append(_as_map(net, name, output))

    handles = [net.get_submodule(name).register_forward_hook(keep(name)) for name in ends]
    try:
        if with_last:
            maps.append(input_of(net, images, classifier_names(net)[0]))
        elif torch.compiler.is_exporting():  # during an export no exception may pass through the net
            net(images)
        else:
            output_of(net, images, ends[-1])
    finally:
        for handle in handles:
            handle.remove()
    return maps


def _as_map(net: nn.Module, name: str, output: Tensor) -> Tensor:
    """Returns the output of a stage as (N, C, H, W)."""
    if output.ndim == 3:  # tokens; those of the image come last, behind that of the class
        side = math.isqrt(output.shape[1])
        return output[:, output.shape[1] - side**2 :].transpose(1, 2).unflatten(2, (side, side))
    # Nets of torchvision that keep channels last have a layer `permute` near their end, which puts them first.
    is_last = hasattr(net, "permute") and name != "permute"
    return output.permute(0, 3, 1, 2) if is_last else output
