"""Weights of pretrained nets: where they come from, and one way to read them.

Each file that is named in `SOURCES` is a place that weights come from; the contract is `contract.py`. To add one is to
add its file and its name to the tuple. The driver finds what a sweep needs before anything starts, and hands the table
to its workers. Nothing here imports torch before tensors are read.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from trainable.weights import kept
from trainable.weights.contract import Source, Weights, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

NAMES = (  # in the order in which they are asked
    "lite0_package",
)
SOURCES: tuple[Source, ...] = tuple(import_module(f"trainable.weights.{name}").SOURCE for name in NAMES)

_remembered: dict[str, Weights] = {}


def remember(table: Mapping[str, Weights]) -> None:
    """Makes these the weights that this process uses, by their nets, whatever else is at hand."""
    _remembered.clear()
    _remembered.update(table)


def at_hand(arch: str) -> Weights | None:
    """Returns the weights of a net that this process uses: those of its sweep, else what is on this machine.

    Asks no network and does not import torch.
    """
    if arch in _remembered:
        return _remembered[arch]
    return next((weights for source in SOURCES if (weights := source.find(arch))), None)


def state_dict(arch: str) -> "dict[str, Tensor]":
    """Returns the state dict of a net with its own classifier, mapped from a file: what is to change must be copied.

    Raises:
      WeightsError: there are none on this machine, or the file is not what it was.
    """
    weights = at_hand(arch)
    if weights is None:
        raise WeightsError(f"{arch}: its pretrained weights are not on this machine")
    source = next(source for source in SOURCES if source.name == weights.found_by)
    return kept.state_dict(weights, source.read)
