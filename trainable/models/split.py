"""Splits a net behind a stage, so that the output of its frozen front can be stored instead of computed anew.

The front is the net up to the end of the stage. The rest is the same net, in which the module that ends the stage
returns the stored output, and the modules before it return blanks of the right shape without computing anything.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from sweep.trainable.models.calls import Call, calls_of, judged, output_of
from sweep.trainable.models.staged import stages

PROBES = (2, 3)  # sizes of two batches, which show how a shape depends on the number of images


class Front(nn.Module):
    """Maps images to one tensor, the output of the module that ends a stage."""

    def __init__(self, net: nn.Module, end: str) -> None:
        super().__init__()
        self.net, self.end = net, end

    def forward(self, images: Tensor) -> Any:
        """Returns the stage's output for (N, 3, H, W) normalised images."""
        return output_of(self.net, images, self.end)


class Rest(nn.Module):
    """Maps the front's tensor to the logits."""

    def __init__(self, net: nn.Module, end: str, image: torch.Size, blanks: dict[str, list[Any]]) -> None:
        """Prepares a net to start behind a stage.

        Args:
          end: the name of the module that ends the stage.
          image: (3, H, W), the shape of an image.
          blanks: for each module that is not called, its output at each call, with a `_Blank` for each tensor.
        """
        super().__init__()
        self.net, self.end, self.image, self.blanks = net, end, image, blanks

    def forward(self, stage_output: Tensor) -> Tensor:
        """Returns the (N, classes) logits for the stage's output of N images."""
        images = stage_output.new_zeros(1).expand(len(stage_output), *self.image)
        with self._skip_front(stage_output):
            return self.net(images)

    @contextmanager
    def _skip_front(self, stage_output: Tensor) -> Iterator[None]:
        """Makes the front's modules return blanks within the block, and the module at its end `stage_output`."""
        queues = {name: deque(outputs) for name, outputs in self.blanks.items()}

        def stand_in(name: str) -> Any:
            return lambda *arguments, **keywords: pytree.tree_map(
                lambda leaf: leaf.zeros(stage_output) if isinstance(leaf, _Blank) else leaf, queues[name].popleft()
            )

        modules = {name: self.net.get_submodule(name) for name in (*self.blanks, self.end)}
        try:
            for name in self.blanks:
                modules[name].forward = stand_in(name)
            modules[self.end].forward = lambda *arguments, **keywords: stage_output
            yield
        finally:
            for module in modules.values():
                vars(module).pop("forward", None)


class _Blank:
    """A stand-in for a tensor whose shape depends on the number of images; it is filled with zeros."""

    def __init__(self, tensors: tuple[Tensor, Tensor]) -> None:
        self.dtype = tensors[0].dtype
        sizes, other_sizes = (tensor.shape for tensor in tensors)
        self.slope = [(b - a) // (PROBES[1] - PROBES[0]) for a, b in zip(sizes, other_sizes, strict=True)]
        self.offset = [a - PROBES[0] * slope for a, slope in zip(sizes, self.slope, strict=True)]

    def zeros(self, stage_output: Tensor) -> Tensor:
        """Returns the tensor of zeros for as many images as `stage_output` has, on its device."""
        shape = [offset + slope * len(stage_output) for offset, slope in zip(self.offset, self.slope, strict=True)]
        return torch.zeros((), dtype=self.dtype, device=stage_output.device).expand(shape)


def split(net: nn.Module, number: int, images: Tensor) -> tuple[nn.Module, nn.Module] | None:
    """Splits the net into the part up to the end of a stage and the rest; both use the net itself, not a copy.

    Args:
      number: of the stage; 0 for a front that does nothing.
      images: (N, 3, H, W), normalised, of the size that the net takes.

    Returns:
      The two parts, or None if the net cannot be split there: more than one tensor passes, or the two parts together do
      not compute what the whole net computes, which is tried with noise.
    """
    if number == 0:
        return nn.Identity(), net
    net_stages = stages(net, images)
    end = net_stages.ends[min(number, len(net_stages.ends)) - 1]
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(PROBES[-1], *images.shape[1:], generator=generator).to(images)
    blanks = _blanks(end, *(calls_of(net, noise[:count]) for count in PROBES))
    if blanks is None:
        return None
    front, rest = Front(net, end), Rest(net, end, images.shape[1:], blanks)
    with judged(net):
        output = front(noise)
        try:
            is_equal = isinstance(output, Tensor) and torch.allclose(rest(output), net(noise), rtol=1e-5, atol=1e-6)
        except Exception:  # a net that passes on something else than a map may raise any error
            is_equal = False
    return (front, rest) if is_equal else None


def _blanks(end: str, calls: list[Call], other_calls: list[Call]) -> dict[str, list[Any]] | None:
    """Computes the blanks that stand in for the modules in front of a stage's end.

    These are the outermost modules that are finished before it. A module whose output does not depend on the number of
    images, such as one for positions, gets no blanks and is called as usual.

    Args:
      end: the name of the module that ends the stage.
      calls, other_calls: those of the net for two batches of different sizes.

    Returns:
      For each module, its output at each call with blanks for the tensors; None if the two batches do not call the same
      modules.
    """
    if [call.name for call in calls] != [call.name for call in other_calls]:
        return None
    limit = next(call.ended for call in calls if call.name == end)
    late_names = {call.name for call in calls if call.ended > limit}
    early_names = {call.name for call in calls} - late_names - {end}
    blanks: dict[str, list[Any]] = {}
    for call, other_call in zip(calls, other_calls, strict=True):
        if call.name not in early_names or any(call.name.startswith(f"{name}.") for name in early_names | {end}):
            continue
        try:
            output, varies = _blank(call.output, other_call.output)
        except ValueError:
            return None
        if varies:
            blanks.setdefault(call.name, []).append(output)
    return blanks


def _blank(output: Any, other_output: Any) -> tuple[Any, bool]:
    """Returns an output with blanks in place of its tensors, and whether it depends on the number of images.

    Raises:
      ValueError: the outputs for the two batches do not have the same structure.
    """
    leaves, spec = pytree.tree_flatten(output)
    other_leaves, other_spec = pytree.tree_flatten(other_output)
    if spec != other_spec:
        raise ValueError("the outputs are of different make")
    varies = False
    for place, (leaf, other_leaf) in enumerate(zip(leaves, other_leaves, strict=True)):
        if isinstance(leaf, Tensor):
            varies = varies or leaf.shape != other_leaf.shape
            leaves[place] = _Blank((leaf, other_leaf))
    return pytree.tree_unflatten(leaves, spec), varies
