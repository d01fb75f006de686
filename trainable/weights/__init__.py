"""Weights of pretrained nets: where they come from, and one way to read them.

Each file that is named in `NAMES` is a place that weights come from, and each of `LIBRARY_NAMES` a library of nets; the
contract is `contract.py`. To add one is to add its file and its name to the tuple. The driver prepares what a sweep
needs before anything starts, and hands the table to its workers. Nothing here imports torch before tensors are read.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from sweep.trainable.weights import kept
from sweep.trainable.weights.contract import Library, Source, Weights, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from sweep.trainable.config import TrialConfig

NAMES = (  # in the order in which they are asked
    "given",
    "torchvision_library",
    "timm_library",
    "lite0_package",
)
LIBRARY_NAMES = ("timm_library", "torchvision_library")
SOURCES: tuple[Source, ...] = tuple(import_module(f"sweep.trainable.weights.{name}").SOURCE for name in NAMES)
LIBRARIES: tuple[Library, ...] = tuple(
    import_module(f"sweep.trainable.weights.{name}").LIBRARY for name in LIBRARY_NAMES
)

# Of the file that is kept of these weights on the driver's machine: its bytes, and its blocks (`datasets.far_files`).
Far = Callable[[Weights], tuple[int, Callable[[int], bytes]]]

_remembered: dict[str, Weights] = {}
_tried: "dict[str, dict[str, Tensor]]" = {}  # by its net, what is checked before it is kept
_driver: list[Far] = []


def remember(table: Mapping[str, Weights], far: Far | None = None) -> None:
    """Makes these the weights that this process uses, by their nets, whatever else is at hand.

    Args:
      far: gives the files of the driver's machine, where this may be another one.
    """
    _remembered.clear()
    _remembered.update(table)
    _driver[:] = [far] if far else []


def remembered() -> dict[str, Weights]:
    return dict(_remembered)


def at_hand(arch: str) -> Weights | None:
    """Returns the weights of a net that this process uses: those of its sweep, else what is on this machine.

    Asks no network and does not import torch, or a library of nets where nothing of it is there.

    Raises:
      WeightsError: a file that is there is not what it should be.
    """
    if arch in _remembered:
        return _remembered[arch]
    return next((weights for source in SOURCES if (weights := source.find(arch))), None)


def resnet18_weights_at_hand() -> bool:
    """Says whether torchvision's weights of resnet18 are on this machine: the published spaces draw it with them."""
    return at_hand("torchvision/resnet18") is not None


def all_at_hand() -> list[str]:
    """Returns the names of the nets whose weights are on this machine: what the user named, the package's, the rest."""
    given, in_torch_hub, in_hub, package = (list(source.nets()) for source in SOURCES)
    by_name: dict[str, str] = {}
    for net in filter(_is_net, given):  # of which library a file is, its name does not say: the first that has it
        by_name.setdefault(net.partition("/")[2], net)
    return list(dict.fromkeys([*by_name.values(), *package, *sorted(filter(_is_found, {*in_torch_hub, *in_hub}))]))


def state_dict(arch: str) -> "dict[str, Tensor]":
    """Returns the weights of a net by the names that its library serves them under, mapped from a file.

    Raises:
      WeightsError: there are none on this machine, or the file is not what it was.
    """
    if arch in _tried:
        return _tried[arch]
    weights = at_hand(arch)
    if weights is None:
        raise WeightsError(f"{arch}: its pretrained weights are not on this machine; --weights FILE or DIR names them")
    if (found := kept.tensors(weights)) is None:
        with kept.alone(weights):  # of the workers of a machine one copies them
            if (found := kept.tensors(weights)) is None:
                keep(weights)
                found = kept.tensors(weights)
    if found is None:
        raise WeightsError(f"{kept.path_of(arch, weights.sha256)}: is damaged again and again; check the disk")
    return found


def needed(config: "TrialConfig") -> list[str]:
    """Returns the names of the nets whose pretrained weights a config begins with."""
    if config.backbone:
        return [config.backbone]
    if not config.pretrained:
        return []
    return [config.arch if "/" in config.arch else f"torchvision/{config.arch}"]


def left_out(config: "TrialConfig") -> list[str]:
    """Returns the names of the nets that a trial's own weights leave out, wholly or in part: they stay as they came."""
    return needed(config) if config.backbone or config.frozen_stages else []


def library_of(arch: str) -> Library:
    """Raises:
    WeightsError: the name is not of a net of a library.
    """
    found = next((library for library in LIBRARIES if arch.startswith(library.prefix)), None)
    if found is None:
        names = " or ".join(f"{library.prefix}NAME" for library in LIBRARIES)
        raise WeightsError(f"{arch}: a pretrained net is named {names}, in --backbones and in --fix backbone=")
    return found


def keep(weights: Weights, check: Callable[[Weights], None] | None = None) -> None:
    """Keeps what the file of weights holds; raises as `state_dict` does.

    Args:
      check: raises where they are not to be kept; in it, `state_dict` returns them already.
    """
    if not weights.path.is_file() and _driver:
        kept.copy(weights, *_driver[0](weights))
        return
    if weights.found_by == kept.NAME or not weights.path.is_file():
        weights = _elsewhere(weights)
    digest = kept.sha256_of(weights.path)
    if digest != weights.sha256:
        raise WeightsError(
            f"{weights.path}: must be the file with the sha256 {weights.sha256}, got {digest}; put that one there again"
        )
    source = next(source for source in SOURCES if source.name == weights.found_by)
    tensors = source.read(weights)
    if check:
        _tried[weights.arch] = tensors
        try:
            check(weights)
        finally:
            del _tried[weights.arch]
    kept.keep(weights, tensors)


def _elsewhere(weights: Weights) -> Weights:
    """Returns the same weights as a source has them.

    Raises:
      WeightsError: none has.
    """
    for source in SOURCES:
        if (found := source.find(weights.arch)) and found.sha256 == weights.sha256:
            return found
    raise WeightsError(
        f"{weights.arch}: its weights ({weights.source}, sha256 {weights.sha256}) are not on this machine any more; "
        "the command of their sweep fetches them again, or takes them from --weights FILE"
    )


def _is_net(name: str) -> bool:
    return library_of(name).has(name)


def _is_found(net: str) -> bool:
    """Says whether weights for a net are there; a file that is not what it should be is none of a sweep's by itself."""
    try:
        return at_hand(net) is not None
    except WeightsError:
        return False
