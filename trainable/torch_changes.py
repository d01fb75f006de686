"""What of torch's own classes is changed, for images of 16 pixels on a CPU.

Rows 1 to 3 of BENCHMARKS.md need the layers, which our own nets use alone: a net of torchvision or of the user's has
torch's. Rows 1 and 11 need the optimisers.
"""

import inspect
import math
from functools import cache
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

Kind = TypeVar("Kind", bound=optim.Optimizer)


class Conv2d(nn.Conv2d):
    """`nn.Conv2d`, same weights, same result; faster where an image has shrunk to less than its kernel.

    Of a 3x3 kernel over a padded 1x1 image eight taps see zeros alone: a ResNet-18 on 16 px spends most of its
    arithmetic on them. And where the stride is 2, torch 2.14.1 leaves their gradient in bf16 on a CPU as the memory
    was. Their gradient is zero here.
    """

    def forward(self, input: Tensor) -> Tensor:
        if isinstance(self.padding, str) or self.padding_mode != "zeros" or self.dilation != (1, 1):
            return super().forward(input)
        (top, bottom, y), (left, right, x) = map(_met, input.shape[2:], self.kernel_size, self.stride, self.padding)
        taps = (y.stop - y.start, x.stop - x.start)
        if taps == self.kernel_size or min(taps) <= 0:
            return super().forward(input)
        images = F.pad(input, (left, right, top, bottom))
        return F.conv2d(images, self.weight[:, :, y, x], self.bias, self.stride, groups=self.groups)


def _met(size: int, kernel: int, stride: int, padding: int) -> tuple[int, int, slice]:
    """Along one side: the padding before and after that is left, negative where pixels go, and the taps that count."""
    steps = (size + 2 * padding - kernel) // stride
    first, last = max(0, padding - steps * stride), min(kernel, padding + size)
    before = padding - first
    return before, steps * stride + last - first - size - before, slice(first, last)


def with_short_kernels(net: nn.Module) -> nn.Module:
    """Makes every `nn.Conv2d` of a net that somebody else built one of these, its weights and their names kept."""
    for module in net.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Conv2d
    return net


class Dropout(nn.Dropout):
    """`nn.Dropout`; on a CPU `p` is in whole 256ths, for there torch draws a double a number, ten times as slowly."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        kept = 256 - round(256 * self.p)
        bits = torch.empty(math.ceil(input.numel() / 8), dtype=torch.int64).random_(-(2**63), None)
        mask = bits.view(torch.uint8)[: input.numel()] < kept
        # Laid out in memory as the input is: a product of two layouts takes several times as long.
        strides = torch.empty_like(input, device="meta").stride()
        return input * mask.to(input.dtype).mul_(256 / kept).as_strided(input.shape, strides)


@cache
def uncompiled(kind: type[Kind]) -> type[Kind]:
    """The optimiser without what guards its methods against `torch.compile`.

    The guards' first call imports the compiler: 2 s and 150 MB for a worker, and nothing is compiled here.
    """
    guarded = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in guarded}
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(inspect.unwrap(kind.step))})
