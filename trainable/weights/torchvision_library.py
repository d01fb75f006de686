"""torchvision: the weights of its classifiers, which its client, torch.hub, fetches and stores."""

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sweep.trainable.weights import cache, reader, torch_hub
from sweep.trainable.weights.contract import UNKNOWN, Library, Say, Weights, WeightsError, WeightsSource

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "torchvision/"


def nets() -> Iterator[str]:
    """Yields the nets whose weights are in the folder of torch.hub."""
    for path in torch_hub.files_of(""):
        if match := re.fullmatch(r"(\w+)-[0-9a-f]{8}\.pth", path.name):
            yield PREFIX + match[1]


def find(arch: str) -> Weights | None:
    """Returns the weights of a net if they were fetched before, or None.

    It imports torchvision only if a file may be there.
    """
    name = arch.removeprefix(PREFIX)
    return cached(arch) if name != arch and torch_hub.files_of(name.partition(".")[0]) else None


def serves(arch: str) -> bool:
    """Returns whether torchvision has weights of this name."""
    return _record_of(arch) is not None


def cached(arch: str) -> Weights | None:
    """Returns the weights of a net from the folder of torch.hub, or None."""
    record = _record_of(arch)
    return _weights(arch, record.url) if record and torch_hub.path_of(record.url).is_file() else None


def fetch(arch: str, say: Say) -> Weights:
    """Fetches the weights of a net with torch.hub.

    Raises:
      WeightsError: torchvision serves no such weights, or they cannot be fetched.
    """
    record = _record_of(arch)
    if record is None:
        raise WeightsError(f"{arch}: torchvision serves no such weights; give a file with --weights")
    torch_hub.fetch(arch, record.url, UNKNOWN, say)
    return _weights(arch, record.url)


def read(weights: Weights) -> "dict[str, Tensor]":
    """Returns the tensors of weights, after their file was compared with the sha256 in its name."""
    torch_hub.check(weights.path, weights.sha256)
    return reader.read(weights.path)


def _weights(arch: str, url: str) -> Weights:
    """Returns the description of weights that were fetched from an address."""
    path = torch_hub.path_of(url)
    # torchvision records no licence for its weights.
    return Weights(arch, f"torchvision, {url}", cache.sha256_of(path), UNKNOWN, path, SOURCE.name)


@functools.cache
def _record_of(arch: str) -> Any:
    """Returns torchvision's record of the weights that a name means, or None; without a tag, of the default weights."""
    import torchvision

    name, _, tag = arch.removeprefix(PREFIX).partition(".")
    try:
        choices = torchvision.models.get_model_weights(name)
    except ValueError:
        return None
    return next((each for each in choices if each.name == tag), None) if tag else getattr(choices, "DEFAULT", None)


SOURCE = WeightsSource("torchvision", find, nets, read)
LIBRARY = Library(PREFIX, serves, cached, fetch)
