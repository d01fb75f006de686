"""Variants of torch's own classes, which are faster for images of 16 pixels on a CPU.

The times in rows 1 to 3 of BENCHMARKS.md depend on the layers, those in rows 1 and 11 on the optimisers. Only the nets
of our own families use these layers; other nets of torchvision, and a user's, keep torch's.
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
    """`nn.Conv2d` with the same weights and the same result, but faster if an image is smaller than the kernel.

    Eight of the nine weights of a 3x3 kernel see only zeros in a padded 1x1 image, and a ResNet-18 on 16 px would spend
    most of its arithmetic on them. With a stride of 2, torch 2.14.1 on a CPU in bf16 also leaves their gradient
    uninitialised; here it is zero.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Returns the convolution of `input`, computed only with the part of the kernel that meets pixels."""
        if isinstance(self.padding, str) or self.padding_mode != "zeros" or self.dilation != (1, 1):
            return super().forward(input)
        (top, bottom, y), (left, right, x) = map(
            _part_that_counts, input.shape[2:], self.kernel_size, self.stride, self.padding
        )
        taps = (y.stop - y.start, x.stop - x.start)
        if taps == self.kernel_size or min(taps) <= 0:
            return super().forward(input)
        images = F.pad(input, (left, right, top, bottom))
        return F.conv2d(images, self.weight[:, :, y, x], self.bias, self.stride, groups=self.groups)


def _part_that_counts(size: int, kernel: int, stride: int, padding: int) -> tuple[int, int, slice]:
    """Computes, along one side of the image, which part of the kernel ever meets pixels.

    Returns:
      The padding that is still needed before and after the image, negative where pixels are cut off, and the slice of
      the kernel that counts.
    """
    steps = (size + 2 * padding - kernel) // stride
    first, last = max(0, padding - steps * stride), min(kernel, padding + size)
    padding_before = padding - first
    return padding_before, steps * stride + last - first - size - padding_before, slice(first, last)


def with_short_kernels(net: nn.Module) -> nn.Module:
    """Turns every `nn.Conv2d` of a net into a `Conv2d` of this module; weights and their names stay."""
    for module in net.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Conv2d
    return net


class Dropout(nn.Dropout):
    """`nn.Dropout`, but faster on a CPU, where `p` is rounded to a 256th.

    Torch draws a double for each number there, which takes ten times as long as drawing a byte.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Returns `input` with some numbers set to zero in training, and the others scaled up."""
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        kept_values = 256 - round(256 * self.p)
        bits = torch.empty(math.ceil(input.numel() / 8), dtype=torch.int64).random_(-(2**63), None)
        mask = bits.view(torch.uint8)[: input.numel()] < kept_values
        # The mask gets the memory layout of the input: multiplying two different layouts takes several times as long.
        strides = torch.empty_like(input, device="meta").stride()
        return input * mask.to(input.dtype).mul_(256 / kept_values).as_strided(input.shape, strides)


@cache
def uncompiled(kind: type[Kind]) -> type[Kind]:
    """Returns the optimiser class without the wrappers that prepare its methods for `torch.compile`.

    Their first call imports the compiler, which costs a worker 2 s and 150 MB, and nothing is compiled here.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(inspect.unwrap(kind.step))})
