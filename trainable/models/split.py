"""Splits a net behind a stage, so that what its frozen front computes can be kept instead of computed anew.

The front is the net up to the end of the stage. The rest is the net too, in which the module that ends the stage
returns what was kept, and those before it return nothing worth the name: blanks of the right shape.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from sweep.trainable.models.calls import Call, after, calls_of, judged
from sweep.trainable.models.staged import stages

PROBES = (2, 3)  # images: how a shape depends on their number


class Front(nn.Module):
    """From images to one tensor, which is what the net has computed at the end of a stage."""

    def __init__(self, net: nn.Module, end: str) -> None:
        super().__init__()
        self.net, self.end = net, end

    def forward(self, images: Tensor) -> Any:
        return after(self.net, images, self.end)


class Rest(nn.Module):
    """From the front's tensor to the logits."""

    def __init__(self, net: nn.Module, end: str, image: torch.Size, blanks: dict[str, list[Any]]) -> None:
        """Args:
        image: (3, H, W).
        blanks: of each module that is not called, what it returns at each call, as `_Blank` has it.
        """
        super().__init__()
        self.net, self.end, self.image, self.blanks = net, end, image, blanks

    def forward(self, kept: Tensor) -> Tensor:
        images = kept.new_zeros(1).expand(len(kept), *self.image)
        with self._skipping(kept):
            return self.net(images)

    @contextmanager
    def _skipping(self, kept: Tensor) -> Iterator[None]:
        returned = {name: deque(outputs) for name, outputs in self.blanks.items()}

        def stand_in(name: str) -> Any:
            return lambda *arguments, **named: pytree.tree_map(
                lambda leaf: leaf.filled(kept) if isinstance(leaf, _Blank) else leaf, returned[name].popleft()
            )

        modules = {name: self.net.get_submodule(name) for name in (*self.blanks, self.end)}
        try:
            for name in self.blanks:
                modules[name].forward = stand_in(name)
            modules[self.end].forward = lambda *arguments, **named: kept
            yield
        finally:
            for module in modules.values():
                vars(module).pop("forward", None)


class _Blank:
    """A tensor of zeros whose shape depends on the number of images."""

    def __init__(self, tensors: tuple[Tensor, Tensor]) -> None:
        self.dtype = tensors[0].dtype
        few, more = (tensor.shape for tensor in tensors)
        self.slope = [(b - a) // (PROBES[1] - PROBES[0]) for a, b in zip(few, more, strict=True)]
        self.offset = [a - PROBES[0] * slope for a, slope in zip(few, self.slope, strict=True)]

    def filled(self, kept: Tensor) -> Tensor:
        shape = [offset + slope * len(kept) for offset, slope in zip(self.offset, self.slope, strict=True)]
        return torch.zeros((), dtype=self.dtype, device=kept.device).expand(shape)


def split(net: nn.Module, number: int, images: Tensor) -> tuple[nn.Module, nn.Module] | None:
    """Returns the net up to the end of a stage, and the rest of it; both hold the net itself, no copy.

    Args:
      number: of the stage; 0 for a front that does nothing.
      images: (N, 3, H, W), normalised, of the size that the net takes.

    Returns:
      None where the net cannot be split there: more than one tensor passes, or the two parts together do not compute
      what the net does, which is tried out.
    """
    if number == 0:
        return nn.Identity(), net
    about = stages(net, images)
    end = about.ends[min(number, len(about.ends)) - 1]
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(PROBES[-1], *images.shape[1:], generator=generator).to(images)
    blanks = _blanks(end, *(calls_of(net, noise[:count]) for count in PROBES))
    if blanks is None:
        return None
    front, rest = Front(net, end), Rest(net, end, images.shape[1:], blanks)
    with judged(net):
        kept = front(noise)
        try:
            same = isinstance(kept, Tensor) and torch.allclose(rest(kept), net(noise), rtol=1e-5, atol=1e-6)
        except Exception:  # whatever a net raises to which something else than a map is passed on
            same = False
    return (front, rest) if same else None


def _blanks(end: str, few: list[Call], more: list[Call]) -> dict[str, list[Any]] | None:
    """Returns what the outermost modules that have done all their work before the end of a stage return at each call.

    A module that does not depend on the number of images, as that of positions, is called as ever. None: the modules
    that are called are not the same for any number of images.
    """
    if [call.name for call in few] != [call.name for call in more]:
        return None
    limit = next(call.ended for call in few if call.name == end)
    later = {call.name for call in few if call.ended > limit}
    early = {call.name for call in few} - later - {end}
    found: dict[str, list[Any]] = {}
    for call, other in zip(few, more, strict=True):
        if call.name not in early or any(call.name.startswith(f"{name}.") for name in early | {end}):
            continue
        try:
            output, varies = _blank(call.output, other.output)
        except ValueError:
            return None
        if varies:
            found.setdefault(call.name, []).append(output)
    return found


def _blank(few: Any, more: Any) -> tuple[Any, bool]:
    """Returns an output with blanks for its tensors, and whether it depends on the number of images.

    Raises:
      ValueError: the two outputs are of different make.
    """
    leaves, spec = pytree.tree_flatten(few)
    others, other_spec = pytree.tree_flatten(more)
    if spec != other_spec:
        raise ValueError("the outputs are of different make")
    varies = False
    for place, (leaf, other) in enumerate(zip(leaves, others, strict=True)):
        if isinstance(leaf, Tensor):
            varies = varies or leaf.shape != other.shape
            leaves[place] = _Blank((leaf, other))
    return pytree.tree_unflatten(leaves, spec), varies
