"""Which modules of a net are called while a batch passes, and a pass that ends in the middle of the net."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@dataclass(frozen=True)
class Call:
    """One call of a module while a batch passed.

    Attributes:
      began, ended: the numbers of the two events, counted over all modules.
      output: what it returned.
    """

    name: str
    began: int
    ended: int
    output: Any


@contextmanager
def judged(net: nn.Module) -> Iterator[None]:
    """The net computes in the block as when it predicts, and nothing is learned from it."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def calls_of(net: nn.Module, images: Tensor) -> list[Call]:
    """Returns the calls of a net's modules, in the order in which they end; the last is the net's own."""
    calls: list[Call] = []
    begun: list[int] = []
    events = 0

    def begin(*_: Any) -> None:
        nonlocal events
        begun.append(events)
        events += 1

    def end(name: str, output: Any) -> None:
        nonlocal events
        calls.append(Call(name, begun.pop(), events, output))
        events += 1

    def hook(name: str) -> Any:
        return lambda module, arguments, output: end(name, output)

    handles = []
    for name, module in net.named_modules():
        handles += [module.register_forward_pre_hook(begin), module.register_forward_hook(hook(name))]
    try:
        with judged(net):
            net(images)
    finally:
        for handle in handles:
            handle.remove()
    return calls


class _EnoughError(Exception):
    """The part of a net that was asked for has been computed."""


def after(net: nn.Module, images: Tensor, name: str) -> Any:
    """Returns what a module of a net returns; what comes after it is not computed."""

    def stop(module: nn.Module, arguments: Any, output: Any) -> None:
        raise _EnoughError(output)

    return _stopped(net, images, net.get_submodule(name).register_forward_hook(stop))


def before(net: nn.Module, images: Tensor, name: str) -> Any:
    """Returns what a module of a net is given; it and what comes after it are not computed."""

    def stop(module: nn.Module, arguments: Any) -> None:
        raise _EnoughError(arguments[0])

    return _stopped(net, images, net.get_submodule(name).register_forward_pre_hook(stop))


def _stopped(net: nn.Module, images: Tensor, handle: RemovableHandle) -> Any:
    try:
        net(images)
    except _EnoughError as enough:
        return enough.args[0]
    finally:
        handle.remove()
    raise AssertionError("each end of a stage is called in every pass")
