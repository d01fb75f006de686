"""The stages of a net that somebody else built: what it computes up to a certain depth, and which weights do that.

They are found by putting one batch through the net and noting which of its modules are called, in which order. So a net
of timm and one of torchvision are the same here, and so is one whose file nobody has read.

Stages are counted from 1. For most nets they are where the resolution falls; a net of many equal blocks has four, a
quarter of its blocks each. The number after the last stage is that of the features before the classifier.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sweep.trainable.models.calls import Call, calls_of

STANDARD_PX = 224  # at which resolutions are told apart: in small images the last ones have one pixel each
MOST_STAGES = 6  # a net with more lists each of its blocks
QUARTERS = 4


@dataclass(frozen=True)
class Stages:
    """Where the stages of a net end.

    Attributes:
      ends: the name of the module whose output is the map of each stage.
      indices: which of timm's own list of maps each is; empty for a net that is not timm's.
      parameters: the names of the parameters of each stage; then those behind the last; then the classifier's.
    """

    ends: tuple[str, ...]
    indices: tuple[int, ...]
    parameters: tuple[tuple[str, ...], ...]

    @property
    def count(self) -> int:
        """The number of the last one, the features before the classifier."""
        return len(self.ends) + 1


def stages(net: nn.Module, images: Tensor) -> Stages:
    """Returns the stages of a net; they are found once.

    Args:
      images: (N, 3, H, W), normalised, of the size that the net takes; one is enough.
    """
    found = getattr(net, "found_stages", None)
    if found is None:
        found = net.found_stages = _find(net, images)  # type: ignore[assignment]
    return found


def found_stages(net: nn.Module) -> Stages:
    """Returns the stages of a net of which `stages` was asked before."""
    found: Any = net.found_stages
    assert isinstance(found, Stages)
    return found


def _find(net: nn.Module, images: Tensor) -> Stages:
    calls = calls_of(net, images)
    own = _of_timm(net, calls)
    ends = [name for _, name in own] or _by_resolution(net, images, calls)
    if len(ends) > MOST_STAGES:
        chosen = [len(ends) * (quarter + 1) // QUARTERS - 1 for quarter in range(QUARTERS)]
        own, ends = [own[number] for number in chosen if own], [ends[number] for number in chosen]
    return Stages(tuple(ends), tuple(index for index, _ in own), _parameters(net, calls, ends))


def classifier_names(net: Any) -> list[str]:
    """Returns the names of the last layers of a net: of a distilled one there are two."""
    if hasattr(net, "get_classifier"):  # timm's own
        last = net.get_classifier()
        layers = list(last) if isinstance(last, tuple | list | nn.ModuleList) else [last]
        return [name for name, module in net.named_modules() if any(module is layer for layer in layers)]
    return [name for name, module in net.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1:]


def _of_timm(net: nn.Module, calls: list[Call]) -> list[tuple[int, str]]:
    """Returns timm's own list of maps, each by its number there; empty where a module of it was not called once."""
    numbers: dict[str, int] = {}  # of nets with branches, the first: the modules of all branches end together
    for number, about in enumerate(getattr(net, "feature_info", None) or ()):
        numbers.setdefault(about["module"], number)
    called = [call.name for call in calls]
    return [(number, name) for name, number in numbers.items()] if all(called.count(n) == 1 for n in numbers) else []


def _by_resolution(net: nn.Module, images: Tensor, calls: list[Call]) -> list[str]:
    """Returns the last module of each resolution; of many equal blocks, each."""
    with suppress(Exception):  # some nets take images of one size alone
        calls = calls_of(net, images.new_zeros(1, 3, STANDARD_PX, STANDARD_PX))
    units, last = _units(net), classifier_names(net)[0]
    limit = next(call.began for call in calls if call.name == last)
    before_last = [call for call in calls if call.name in units and call.ended < limit]
    chain = [(call.name, pixels) for call in before_last if (pixels := _pixels(call.output)) > 1]
    ends = [name for (name, pixels), (_, next_) in zip(chain, [*chain[1:], ("", 0)], strict=True) if 2 * next_ < pixels]
    blocks: dict[type, list[str]] = {}
    for name, _ in chain:
        blocks.setdefault(type(net.get_submodule(name)), []).append(name)
    most = max(blocks.values(), key=len, default=[])
    return most if len(ends) < QUARTERS - 1 and len(most) > MOST_STAGES else ends


def _units(net: nn.Module, prefix: str = "") -> list[str]:
    """Returns the names of the modules that follow each other: a net's children, and the children of its sequences."""
    whole, names = _numbers(net), []
    for name, child in net.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            names += [f"{prefix}{name}.{inner}" for inner, _ in child.named_children()]
        elif 2 * _numbers(child) > whole and any(isinstance(inner, nn.Sequential) for inner in child.children()):
            names += _units(child, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _pixels(output: Any) -> int:
    """Returns of how many places of a square image an output tells; 0 where it is no map."""
    if not isinstance(output, Tensor) or output.ndim not in (3, 4):
        return 0
    sides = output.shape[1:]
    return sides[0] if output.ndim == 3 else sides[0] ** 2 if sides[0] == sides[1] else sides[2] ** 2


def _parameters(net: nn.Module, calls: list[Call], ends: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Returns the names of the parameters by the stage in which their module is first called."""
    last = classifier_names(net)
    began: dict[str, int] = {}
    ended = {call.name: call.ended for call in calls}
    for call in calls:
        began[call.name] = min(call.began, began.get(call.name, call.began))
    limits = [ended[name] for name in ends]
    groups: list[list[str]] = [[] for _ in range(len(ends) + 2)]
    for name, _ in net.named_parameters():
        owner = name.rpartition(".")[0]
        if any(owner == layer or owner.startswith(f"{layer}.") for layer in last):
            groups[-1].append(name)
            continue
        while owner not in began:  # its weights are read by the module around it
            owner = owner.rpartition(".")[0]
        groups[sum(limit < began[owner] for limit in limits)].append(name)
    return tuple(map(tuple, groups))
