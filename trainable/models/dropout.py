"""Dropout that draws a byte a number."""

import math

import torch
from torch import Tensor, nn


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
