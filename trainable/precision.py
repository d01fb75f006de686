"""How an architecture computes on a device: a fixed table, so that two runs do the same.

Each family says on which devices it multiplies in bf16. A device without units for that would emulate it, several
times slower, and has float32.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainable.models import family_of

BF16_CAPABILITY = (8, 0)  # of a GPU: from NVIDIA's Ampere on


@dataclass(frozen=True)
class Numerics:
    """Attributes:
    bf16: multiplications in bf16; sums, weights and loss stay in float32.
    channels_last: convolutions on (N, H, W, C) in memory instead of (N, C, H, W).
    """

    bf16: bool
    channels_last: bool


def has_bf16(device: torch.device) -> bool:
    """Returns whether a device has units for bf16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= BF16_CAPABILITY
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def numerics(arch: str, device: torch.device) -> Numerics:
    family = family_of(arch)
    return Numerics(device.type in family.bf16 and has_bf16(device), family.channels_last)


def autocast(arch: str, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=numerics(arch, device).bf16)


def forward(arch: str, model: nn.Module, images: Tensor) -> Tensor:
    """(N, classes) float32 logits."""
    with autocast(arch, images.device):
        return model(images).float()
