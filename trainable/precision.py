"""Decides how an architecture computes on a device, by what its family says, so that two runs do the same.

Each family of architectures says on which types of devices it gains from multiplying in 16 bits. The format follows
from the device's arithmetic units: bf16 if it has units for that, else float16 on a GPU that is faster in that, else
float32, because a device without such units would emulate the format, several times slower.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from sweep.trainable.models import family_of

BF16_CAPABILITY = (8, 0)  # the lowest of a GPU with units for bf16: NVIDIA's Ampere
# Compute capabilities below that whose multiprocessors do twice as many operations a clock in float16 as in float32,
# by the table of throughputs in NVIDIA's CUDA C++ Programming Guide ("Arithmetic Instructions"): 256 to 128 for 5.3 and
# 6.2 (Jetson), 128 to 64 for 6.0 (P100), 7.0 (V100), 7.2 (Xavier) and 7.5 (T4), the last three with tensor cores beside
# that. On 6.1 (P4, P40, GTX 10) it is 2 to 128, and earlier ones have none.
FLOAT16_CAPABILITIES = frozenset({(5, 3), (6, 0), (6, 2), (7, 0), (7, 2), (7, 5)})


@dataclass(frozen=True)
class Numerics:
    """How an architecture computes on one device.

    Attributes:
      format: the format of multiplications: float32, bfloat16 or float16; sums, weights and loss stay in float32.
      channels_last: whether convolutions have (N, H, W, C) in memory instead of (N, C, H, W).
    """

    format: torch.dtype
    channels_last: bool

    @property
    def in_names(self) -> bool | str:
        """The format in the names of kept features: True is bf16 and False float32, from before there was float16."""
        return "float16" if self.format is torch.float16 else self.format is torch.bfloat16


def format_of(device: torch.device) -> torch.dtype:
    """Returns the format in which a device multiplies fastest, among those in which nets train well."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= BF16_CAPABILITY:
            return torch.bfloat16
        return torch.float16 if capability in FLOAT16_CAPABILITIES else torch.float32
    if device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.bfloat16
    return torch.float32


def numerics(arch: str, device: torch.device) -> Numerics:
    """Returns how an architecture computes on a device: float32 if its family gains nothing from 16 bits there."""
    family = family_of(arch)
    return Numerics(format_of(device) if device.type in family.bf16 else torch.float32, family.channels_last)


def autocast(arch: str, device: torch.device) -> torch.autocast:
    """Returns a block in which an architecture multiplies in the format that it has on a device."""
    return cast_to(numerics(arch, device).format, device)


def cast_to(format: torch.dtype, device: torch.device) -> torch.autocast:
    """Returns a block in which a device multiplies in this format."""
    is_short = format is not torch.float32
    return torch.autocast(device.type, format if is_short else torch.bfloat16, enabled=is_short)


def forward(arch: str, model: nn.Module, images: Tensor) -> Tensor:
    """Returns the net's logits for a batch, (N, classes) float32, whatever format it multiplies in."""
    with autocast(arch, images.device):
        return model(images).float()


def new_scaler(arch: str, device: torch.device, optimizer: optim.Optimizer) -> torch.amp.GradScaler | None:
    """Returns the scaler that keeps gradients within the range of float16; None if the trial has another format.

    A step whose gradients still overflow is skipped on the device, by the optimizer's own kernel, and the scale
    is halved. A skipped first step would leave the momentum's memory uninitialized, and the second step would use it.
    So the momentum begins as zeros here, with which a first step has the same result as without any momentum.
    """
    if numerics(arch, device).format is not torch.float16:
        return None
    for group in optimizer.param_groups:
        if group.get("momentum"):
            for parameter in filter(lambda each: each.requires_grad, group["params"]):
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return torch.amp.GradScaler(device.type)
