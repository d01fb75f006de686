"""The device on which a trial is trained, its number format and its memory; torch is imported only when needed."""

import platform
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def has_apple_gpu() -> bool:
    """Returns whether this machine has a GPU of Apple's, as far as is known without torch."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


def fastest() -> str:
    """Returns the device of this machine that trains fastest: `cuda`, Apple's `mps`, or `cpu`."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def of_worker(gpus: float) -> str:
    """Returns the device of a worker that has this many GPUs."""
    if gpus <= 0:
        return "cpu"
    return fastest() if has_apple_gpu() else "cuda"


def widest(device: "torch.device") -> "torch.dtype":
    """Returns a device's most precise float format, for sums: float64, which Apple's GPUs lack, or float32."""
    import torch

    return torch.float32 if device.type == "mps" else torch.float64


def free_bytes(device: "torch.device") -> int:
    """Returns how many bytes of a GPU's memory are free; an Apple GPU shares the machine's and may use a part of it."""
    import torch

    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return torch.cuda.mem_get_info(device)[0]
