"""Finds and reads the weights of pretrained nets, wherever they come from.

Each module named in `NAMES` is a place that weights come from, and each in `LIBRARY_NAMES` is a library of nets; the
contracts are in `contract.py`. To add one, add its module and its name in the tuple. The driver prepares the weights
that a sweep needs before anything starts, and hands the table to its workers. Torch is not imported here before tensors
are read.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from sweep.trainable.weights import cache
from sweep.trainable.weights.contract import Library, Weights, WeightsError, WeightsSource

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
SOURCES: tuple[WeightsSource, ...] = tuple(import_module(f"sweep.trainable.weights.{name}").SOURCE for name in NAMES)
LIBRARIES: tuple[Library, ...] = tuple(
    import_module(f"sweep.trainable.weights.{name}").LIBRARY for name in LIBRARY_NAMES
)

# Returns the size in bytes of the kept file on the driver's machine, and a function that returns its blocks (see
# `datasets.far_files`).
Far = Callable[[Weights], tuple[int, Callable[[int], bytes]]]

_remembered: dict[str, Weights] = {}
_unchecked: "dict[str, dict[str, Tensor]]" = {}  # by net, the tensors that are being checked before they are kept
_driver: list[Far] = []


def remember(table: Mapping[str, Weights], far: Far | None = None) -> None:
    """Makes this process use these weights, by their nets, whatever others are on this machine.

    Args:
      far: gives the kept files of the driver's machine, if this may be another one.
    """
    _remembered.clear()
    _remembered.update(table)
    _driver[:] = [far] if far else []


def remembered() -> dict[str, Weights]:
    """Returns the weights that `remember` was given, by their nets."""
    return dict(_remembered)


def at_hand(arch: str) -> Weights | None:
    """Returns the weights of a net that this process uses: those of its sweep, else those on this machine, else None.

    It uses no network and does not import torch, nor a library of nets that has no files here.

    Raises:
      WeightsError: a file is there, but is not what it should be.
    """
    if arch in _remembered:
        return _remembered[arch]
    return next((weights for source in SOURCES if (weights := source.find(arch))), None)


def resnet18_weights_at_hand() -> bool:
    """Returns whether torchvision's weights of resnet18 are on this machine; if so, the published spaces use them."""
    return at_hand("torchvision/resnet18") is not None


def all_at_hand() -> list[str]:
    """Returns the nets whose weights are on this machine: the user's files, then the package's, then others."""
    user_nets, in_torch_hub, in_hub, package = (list(source.nets()) for source in SOURCES)
    by_name: dict[str, str] = {}
    # A file's name does not say which library it belongs to, so the first library that has the net is taken.
    for net in filter(_is_net, user_nets):
        by_name.setdefault(net.partition("/")[2], net)
    return list(dict.fromkeys([*by_name.values(), *package, *sorted(filter(_is_found, {*in_torch_hub, *in_hub}))]))


def state_dict(arch: str) -> "dict[str, Tensor]":
    """Returns the tensors of a net's weights, mapped from a file, by the names that its library gives them.

    Raises:
      WeightsError: this machine has no weights of the net, or their file has changed.
    """
    if arch in _unchecked:
        return _unchecked[arch]
    weights = at_hand(arch)
    if weights is None:
        raise WeightsError(f"{arch}: its pretrained weights are not on this machine; --weights FILE or DIR names them")
    if (tensors := cache.tensors(weights)) is None:
        with cache.alone(weights):  # only one worker of a machine copies them
            if (tensors := cache.tensors(weights)) is None:
                keep(weights)
                tensors = cache.tensors(weights)
    if tensors is None:
        raise WeightsError(f"{cache.path_of(arch, weights.sha256)}: is damaged again and again; check the disk")
    return tensors


def needed(config: "TrialConfig") -> list[str]:
    """Returns the names of the nets whose pretrained weights a config begins with."""
    if config.backbone:
        return [config.backbone]
    if not config.pretrained:
        return []
    return [config.arch if "/" in config.arch else f"torchvision/{config.arch}"]


def left_out(config: "TrialConfig") -> list[str]:
    """Returns the nets whose weights a trial's own files leave out, wholly or in part, because they stay frozen."""
    return needed(config) if config.backbone or config.frozen_stages else []


def library_of(arch: str) -> Library:
    """Returns the library that a net's name belongs to, by its prefix.

    Raises:
      WeightsError: the name has the prefix of no library.
    """
    match = next((library for library in LIBRARIES if arch.startswith(library.prefix)), None)
    if match is None:
        names = " or ".join(f"{library.prefix}NAME" for library in LIBRARIES)
        raise WeightsError(f"{arch}: a pretrained net is named {names}, in --backbones and in --fix backbone=")
    return match


def keep(weights: Weights, check: Callable[[Weights], None] | None = None) -> None:
    """Reads the file of weights and keeps its tensors for `state_dict`; raises as `state_dict` does.

    Args:
      check: raises if the weights are not to be kept; during the call, `state_dict` already returns them.
    """
    if not weights.path.is_file() and _driver:
        cache.copy(weights, *_driver[0](weights))
        return
    if weights.found_by == cache.NAME or not weights.path.is_file():
        weights = _find_again(weights)
    digest = cache.sha256_of(weights.path)
    if digest != weights.sha256:
        raise WeightsError(
            f"{weights.path}: must be the file with the sha256 {weights.sha256}, got {digest}; put that one there again"
        )
    source = next(source for source in SOURCES if source.name == weights.found_by)
    tensors = source.read(weights)
    if check:
        _unchecked[weights.arch] = tensors
        try:
            check(weights)
        finally:
            del _unchecked[weights.arch]
    cache.keep(weights, tensors)


def _find_again(weights: Weights) -> Weights:
    """Returns the same weights, with the file that a source has of them.

    Raises:
      WeightsError: no source has them.
    """
    for source in SOURCES:
        if (candidate := source.find(weights.arch)) and candidate.sha256 == weights.sha256:
            return candidate
    raise WeightsError(
        f"{weights.arch}: its weights ({weights.source}, sha256 {weights.sha256}) are not on this machine any more; "
        "the command of their sweep fetches them again, or takes them from --weights FILE"
    )


def _is_net(name: str) -> bool:
    return library_of(name).has(name)


def _is_found(net: str) -> bool:
    """Returns whether weights of a net are there; a file that is not what it should be does not count."""
    try:
        return at_hand(net) is not None
    except WeightsError:
        return False
