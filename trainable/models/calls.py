"""Records which modules of a net are called while a batch passes, and lets a pass end in the middle of the net."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@dataclass(frozen=True)
class Call:
    """One call of a module while a batch passed through the net.

    Attributes:
      name: the name of the module within the net.
      began, ended: when the call began and ended: numbers of events, which are counted over all modules.
      output: the result of the module.
    """

    name: str
    began: int
    ended: int
    output: Any


@contextmanager
def judged(net: nn.Module) -> Iterator[None]:
    """Puts the net into evaluation mode without gradients for the block; after it each module has its mode again."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def calls_of(net: nn.Module, images: Tensor) -> list[Call]:
    """Returns the calls of a net's modules in the order in which they end; the last call is that of the net itself."""
    calls: list[Call] = []
    starts: list[int] = []
    events = 0

    def begin(*_: Any) -> None:
        nonlocal events
        starts.append(events)
        events += 1

    def end(name: str, output: Any) -> None:
        nonlocal events
        calls.append(Call(name, starts.pop(), events, output))
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
    """Ends a pass through a net, because the part that was asked for has been computed."""


def output_of(net: nn.Module, images: Tensor, name: str) -> Any:
    """Returns the output of a module of the net; the modules after it do not compute."""

    def stop(module: nn.Module, arguments: Any, output: Any) -> None:
        raise _EnoughError(output)

    return _run_to_stop(net, images, net.get_submodule(name).register_forward_hook(stop))


def input_of(net: nn.Module, images: Tensor, name: str) -> Any:
    """Returns the input of a module of the net; the module and those after it do not compute."""

    def stop(module: nn.Module, arguments: Any) -> None:
        raise _EnoughError(arguments[0])

    return _run_to_stop(net, images, net.get_submodule(name).register_forward_pre_hook(stop))


def _run_to_stop(net: nn.Module, images: Tensor, handle: RemovableHandle) -> Any:
    """Passes images through the net until a hook ends the pass; removes the hook and returns the value it raised."""
    try:
        net(images)
    except _EnoughError as enough:
        return enough.args[0]
    finally:
        handle.remove()
    raise AssertionError("each end of a stage is called in every pass")
