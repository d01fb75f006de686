"""Finds the stages of any net: where each stage ends, and which weights belong to it.

One batch is put through the net, and the calls of its modules are recorded in their order. So nets of timm, nets of
torchvision and nets of the user's are treated alike, without reading their code.

Stages count from 1. In most nets a stage ends where the resolution falls; a net of many equal blocks has four stages
with a quarter of its blocks each. The number after the last stage is that of the features before the classifier.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sweep.trainable.models.calls import Call, calls_of

STANDARD_PX = 224  # side of the image with which resolutions are told apart; small images end at one pixel
MOST_STAGES = 6  # a net that seems to have more has listed each of its blocks
QUARTERS = 4


@dataclass(frozen=True)
class Stages:
    """Where the stages of a net end, and which parameters they have.

    Attributes:
      ends: for each stage, the name of the module whose output is the stage's map.
      indices: for each stage, its place in timm's own list of maps; empty for a net that is not timm's.
      parameters: the names of the parameters of each stage, then of those behind the last stage, then of the
        classifier.
    """

    ends: tuple[str, ...]
    indices: tuple[int, ...]
    parameters: tuple[tuple[str, ...], ...]

    @property
    def count(self) -> int:
        """The number of the features before the classifier, which is one more than there are stages."""
        return len(self.ends) + 1


def stages(net: nn.Module, images: Tensor) -> Stages:
    """Returns the stages of a net; they are found at the first call and stored in the net.

    Args:
      images: (N, 3, H, W), normalised, of the size that the net takes; N may be 1.
    """
    net_stages = getattr(net, "found_stages", None)
    if net_stages is None:
        net_stages = net.found_stages = _find(net, images)  # type: ignore[assignment]
    return net_stages


def found_stages(net: nn.Module) -> Stages:
    """Returns the stages of a net for which `stages` has been called before."""
    net_stages: Any = net.found_stages
    assert isinstance(net_stages, Stages)
    return net_stages


def _find(net: nn.Module, images: Tensor) -> Stages:
    """Finds the stages of a net: from timm's own list if there is one, else from the resolutions."""
    calls = calls_of(net, images)
    timm_maps = _timm_maps(net, calls)
    ends = [name for _, name in timm_maps] or _by_resolution(net, images, calls)
    if len(ends) > MOST_STAGES:
        places = [len(ends) * (quarter + 1) // QUARTERS - 1 for quarter in range(QUARTERS)]
        timm_maps, ends = [timm_maps[number] for number in places if timm_maps], [ends[number] for number in places]
    return Stages(tuple(ends), tuple(index for index, _ in timm_maps), _parameters(net, calls, ends))


def classifier_names(net: Any) -> list[str]:
    """Returns the names of the last layers of a net; a distilled net has two of them."""
    if hasattr(net, "get_classifier"):  # a method of timm's nets
        classifier = net.get_classifier()
        layers = list(classifier) if isinstance(classifier, tuple | list | nn.ModuleList) else [classifier]
        return [name for name, module in net.named_modules() if any(module is layer for layer in layers)]
    return [name for name, module in net.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1:]


def _timm_maps(net: nn.Module, calls: list[Call]) -> list[tuple[int, str]]:
    """Returns timm's own list of maps as (number, module name); empty if a module in it was not called exactly once."""
    numbers: dict[str, int] = {}  # a net with branches lists a module several times; its first number counts
    for number, info in enumerate(getattr(net, "feature_info", None) or ()):
        numbers.setdefault(info["module"], number)
    names = [call.name for call in calls]
    return [(number, name) for name, number in numbers.items()] if all(names.count(n) == 1 for n in numbers) else []


def _by_resolution(net: nn.Module, images: Tensor, calls: list[Call]) -> list[str]:
    """Returns the last module of each resolution, or every block of a net of many equal blocks."""
    with suppress(Exception):  # some nets take images of one size only
        calls = calls_of(net, images.new_zeros(1, 3, STANDARD_PX, STANDARD_PX))
    units, classifier = _units(net), classifier_names(net)[0]
    limit = next(call.began for call in calls if call.name == classifier)
    unit_calls = [call for call in calls if call.name in units and call.ended < limit]
    chain = [(call.name, pixels) for call in unit_calls if (pixels := _pixels(call.output)) > 1]
    ends = [name for (name, pixels), (_, next_) in zip(chain, [*chain[1:], ("", 0)], strict=True) if 2 * next_ < pixels]
    blocks: dict[type, list[str]] = {}
    for name, _ in chain:
        blocks.setdefault(type(net.get_submodule(name)), []).append(name)
    longest = max(blocks.values(), key=len, default=[])
    return longest if len(ends) < QUARTERS - 1 and len(longest) > MOST_STAGES else ends


def _units(net: nn.Module, prefix: str = "") -> list[str]:
    """Returns the names of the modules that follow each other: a net's children, and the children of its sequences."""
    total, names = _numbers(net), []
    for name, child in net.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            names += [f"{prefix}{name}.{inner}" for inner, _ in child.named_children()]
        elif 2 * _numbers(child) > total and any(isinstance(inner, nn.Sequential) for inner in child.children()):
            names += _units(child, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _numbers(module: nn.Module) -> int:
    """Returns how many parameters, counted as single numbers, a module has."""
    return sum(parameter.numel() for parameter in module.parameters())


def _pixels(output: Any) -> int:
    """Returns how many places of a square image an output describes, or 0 if it is not a map."""
    if not isinstance(output, Tensor) or output.ndim not in (3, 4):
        return 0
    sides = output.shape[1:]
    return sides[0] if output.ndim == 3 else sides[0] ** 2 if sides[0] == sides[1] else sides[2] ** 2


def _parameters(net: nn.Module, calls: list[Call], ends: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Returns the names of the parameters, grouped by the stage in which their module is first called."""
    classifiers = classifier_names(net)
    starts: dict[str, int] = {}
    stops = {call.name: call.ended for call in calls}
    for call in calls:
        starts[call.name] = min(call.began, starts.get(call.name, call.began))
    limits = [stops[name] for name in ends]
    groups: list[list[str]] = [[] for _ in range(len(ends) + 2)]
    for name, _ in net.named_parameters():
        owner = name.rpartition(".")[0]
        if any(owner == layer or owner.startswith(f"{layer}.") for layer in classifiers):
            groups[-1].append(name)
            continue
        while owner not in starts:  # this module is never called: the module around it reads its weights
            owner = owner.rpartition(".")[0]
        groups[sum(limit < starts[owner] for limit in limits)].append(name)
    return tuple(map(tuple, groups))
