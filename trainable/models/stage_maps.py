"""What a net has computed at the ends of its stages, which `staged.py` finds."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sweep.trainable.models.calls import after, before
from sweep.trainable.models.staged import Stages, classifier_names, stages


def features(net: nn.Module, images: Tensor, numbers: Sequence[int] | None = None) -> list[Tensor]:
    """Returns what a net has computed at the ends of stages.

    Args:
      images: as `stages` takes them.
      numbers: of the stages, rising; None for all.

    Returns:
      (N, C, H, W) of each; of the last number (N, C, 1, 1), what the classifier is given.
    """
    about = stages(net, images)
    numbers = numbers or range(1, about.count + 1)
    *inner, last = [*numbers, 0] if numbers[-1] < about.count else numbers
    found = _features_of_timm if about.indices else _features_by_hook
    maps = found(net, about, images, inner, bool(last))
    if last:
        maps[-1] = maps[-1].flatten(2).mean(2)[:, :, None, None] if maps[-1].ndim > 2 else maps[-1][:, :, None, None]
    return maps


def _features_of_timm(net: Any, about: Stages, images: Tensor, inner: Sequence[int], with_last: bool) -> list[Tensor]:
    indices = [about.indices[number - 1] for number in inner]
    if not with_last:
        return list(net.forward_intermediates(images, indices=indices, stop_early=True, intermediates_only=True))
    maps: list[Tensor] = []
    if indices:
        final, maps = net.forward_intermediates(images, indices=indices)
    else:
        final = net.forward_features(images)
    return [*maps, net.forward_head(final, pre_logits=True)]


def _features_by_hook(
    net: nn.Module, about: Stages, images: Tensor, inner: Sequence[int], with_last: bool
) -> list[Tensor]:
    ends = [about.ends[number - 1] for number in inner]
    maps: list[Tensor] = []

    def keep(name: str) -> Any:
        return lambda module, arguments, output: maps.append(_as_map(net, name, output))

    handles = [net.get_submodule(name).register_forward_hook(keep(name)) for name in ends]
    try:
        if with_last:
            maps.append(before(net, images, classifier_names(net)[0]))
        elif torch.compiler.is_exporting():  # nothing may be raised through a net that is exported
            net(images)
        else:
            after(net, images, ends[-1])
    finally:
        for handle in handles:
            handle.remove()
    return maps


def _as_map(net: nn.Module, name: str, output: Tensor) -> Tensor:
    """Returns an output as (N, C, H, W)."""
    if output.ndim == 3:  # tokens, that of the class first
        side = math.isqrt(output.shape[1])
        return output[:, output.shape[1] - side**2 :].transpose(1, 2).unflatten(2, (side, side))
    # Those nets of torchvision whose channels come last have a layer that puts them first, at their end.
    is_last = hasattr(net, "permute") and name != "permute"
    return output.permute(0, 3, 1, 2) if is_last else output
