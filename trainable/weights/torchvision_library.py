"""torchvision: the weights of its classifiers, which its client, torch.hub, fetches and keeps."""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from sweep.trainable.weights import kept, reader, torch_hub
from sweep.trainable.weights.contract import UNKNOWN, Library, Say, Source, Weights, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "torchvision/"


def nets() -> Iterator[str]:
    for path in torch_hub.files_of(""):
        if match := re.fullmatch(r"(\w+)-[0-9a-f]{8}\.pth", path.name):
            yield PREFIX + match[1]


def find(arch: str) -> Weights | None:
    name = arch.removeprefix(PREFIX)
    return cached(arch) if name != arch and torch_hub.files_of(name.partition(".")[0]) else None


def has(arch: str) -> bool:
    return _served(arch) is not None


def cached(arch: str) -> Weights | None:
    served = _served(arch)
    return _weights(arch, served.url) if served and torch_hub.path_of(served.url).is_file() else None


def fetch(arch: str, say: Say) -> Weights:
    served = _served(arch)
    if served is None:
        raise WeightsError(f"{arch}: torchvision serves no such weights; give a file with --weights")
    torch_hub.fetch(arch, served.url, UNKNOWN, say)
    return _weights(arch, served.url)


def read(weights: Weights) -> "dict[str, Tensor]":
    torch_hub.check(weights.path, weights.sha256)
    return reader.read(weights.path)


def _weights(arch: str, url: str) -> Weights:
    path = torch_hub.path_of(url)
    # torchvision records no licence of its weights.
    return Weights(arch, f"torchvision, {url}", kept.sha256_of(path), UNKNOWN, path, SOURCE.name)


@cache
def _served(arch: str) -> Any:
    """Returns the weights that a name means, the net's default ones without a tag; None where there are none."""
    import torchvision

    name, _, tag = arch.removeprefix(PREFIX).partition(".")
    try:
        every = torchvision.models.get_model_weights(name)
    except ValueError:
        return None
    return next((each for each in every if each.name == tag), None) if tag else getattr(every, "DEFAULT", None)


SOURCE = Source("torchvision", find, nets, read)
LIBRARY = Library(PREFIX, has, cached, fetch)
