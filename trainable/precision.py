"""How an architecture computes on a device: a fixed table, so that two runs do the same.

Each family says on which types of devices it gains from multiplying in 16 bits. Which format of 16 bits that is follows
from the units that the device has: bf16 where there are any for it, else float16 on a GPU that is faster in that, else
none, for a device without units would emulate the format, several times slower.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from sweep.trainable.models import family_of

BF16_CAPABILITY = (8, 0)  # of a GPU: from NVIDIA's Ampere on
# Compute capabilities below that whose multiprocessors do twice as many operations a clock in float16 as in float32,
# by the table of throughputs in NVIDIA's CUDA C++ Programming Guide ("Arithmetic Instructions"): 256 to 128 for 5.3 and
# 6.2 (Jetson), 128 to 64 for 6.0 (P100), 7.0 (V100), 7.2 (Xavier) and 7.5 (T4), the last three with tensor cores beside
# that. On 6.1 (P4, P40, GTX 10) it is 2 to 128, and those before have none.
FLOAT16_CAPABILITIES = frozenset({(5, 3), (6, 0), (6, 2), (7, 0), (7, 2), (7, 5)})


@dataclass(frozen=True)
class Numerics:
    """Attributes:
    format: of multiplications, float32, bfloat16 or float16; sums, weights and loss stay in float32.
    channels_last: convolutions on (N, H, W, C) in memory instead of (N, C, H, W).
    """

    format: torch.dtype
    channels_last: bool

    @property
    def in_names(self) -> bool | str:
        """What the names of kept features have of the format: whether it is bf16, as when there were but two."""
        return "float16" if self.format is torch.float16 else self.format is torch.bfloat16


def format_of(device: torch.device) -> torch.dtype:
    """Returns the format in which a device multiplies fastest, of those in which nets train well."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= BF16_CAPABILITY:
            return torch.bfloat16
        return torch.float16 if capability in FLOAT16_CAPABILITIES else torch.float32
    if device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.bfloat16
    return torch.float32


def numerics(arch: str, device: torch.device) -> Numerics:
    family = family_of(arch)
    return Numerics(format_of(device) if device.type in family.bf16 else torch.float32, family.channels_last)


def autocast(arch: str, device: torch.device) -> torch.autocast:
    return cast_to(numerics(arch, device).format, device)


def cast_to(format: torch.dtype, device: torch.device) -> torch.autocast:
    """Returns a block in which a device multiplies in this format."""
    is_short = format is not torch.float32
    return torch.autocast(device.type, format if is_short else torch.bfloat16, enabled=is_short)


def forward(arch: str, model: nn.Module, images: Tensor) -> Tensor:
    """(N, classes) float32 logits."""
    with autocast(arch, images.device):
        return model(images).float()


def new_scaler(arch: str, device: torch.device, optimizer: optim.Optimizer) -> torch.amp.GradScaler | None:
    """Returns what keeps a trial's gradients within the range of float16; None where it computes in another format.

    A step whose gradients overflow all the same is skipped on the device, by the optimizer's own kernel, and halves the
    scale. So the optimizer's momentum begins as zeros here, from which the first step makes what it makes without any.
    Without them a first step that is skipped would leave memory as it came, which the second would take for momentum.
    """
    if numerics(arch, device).format is not torch.float16:
        return None
    for group in optimizer.param_groups:
        if group.get("momentum"):
            for parameter in filter(lambda each: each.requires_grad, group["params"]):
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return torch.amp.GradScaler(device.type)
