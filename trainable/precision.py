"""How an architecture computes on a kind of device: a fixed table, so that two runs do the same.

Those of a CPU with bf16 units are the fastest that train as well, those of a GPU the fastest: BENCHMARKS.md. Those of
other CPUs follow from what these are built for.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Numerics:
    """Attributes:
    bf16: multiplications in bf16; sums, weights and loss stay in float32.
    channels_last: convolutions on (N, H, W, C) in memory instead of (N, C, H, W).
    """

    bf16: bool
    channels_last: bool


# A CPU without bf16 units would emulate it, several times slower. On one with them a perceptron loses more to
# conversions than it wins, and so do convolutions of one channel each (MobileNet takes 1.7 times as long). On a GPU the
# perceptron and the CNN lose to conversions what they win.
TABLE: dict[str, dict[str, Numerics]] = {
    "cuda": {
        "mlp": Numerics(bf16=False, channels_last=False),
        "cnn": Numerics(bf16=False, channels_last=True),
        "small_vgg": Numerics(bf16=True, channels_last=True),
        "small_resnet": Numerics(bf16=True, channels_last=True),
        "torchvision": Numerics(bf16=True, channels_last=True),
    },
    "cpu with bf16": {
        "mlp": Numerics(bf16=False, channels_last=False),
        "cnn": Numerics(bf16=True, channels_last=True),
        "small_vgg": Numerics(bf16=True, channels_last=True),
        "small_resnet": Numerics(bf16=True, channels_last=True),
        "resnet18": Numerics(bf16=True, channels_last=True),
        "torchvision": Numerics(bf16=False, channels_last=True),
    },
    "cpu": {
        "mlp": Numerics(bf16=False, channels_last=False),
        "cnn": Numerics(bf16=False, channels_last=True),
        "small_vgg": Numerics(bf16=False, channels_last=True),
        "small_resnet": Numerics(bf16=False, channels_last=True),
        "torchvision": Numerics(bf16=False, channels_last=True),
    },
}


def device_kind(device: torch.device) -> str:
    """`cuda`, `cpu with bf16` or `cpu`: what decides the numbers of a run beside its config."""
    if device.type == "cuda":
        return "cuda"
    bf16 = torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "cpu with bf16" if bf16 else "cpu"


def numerics(arch: str, device: torch.device) -> Numerics:
    table = TABLE[device_kind(device)]
    return table.get(arch, table["torchvision"])


def autocast(arch: str, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=numerics(arch, device).bf16)


def forward(arch: str, model: nn.Module, images: Tensor) -> Tensor:
    """(N, classes) float32 logits."""
    with autocast(arch, images.device):
        return model(images).float()
