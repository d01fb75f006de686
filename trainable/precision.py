"""Which precision an architecture trains in on a kind of device: a fixed table, so that two runs do the same."""

import torch

# Multiplications in bf16, sums, weights and loss in float32. A CPU without bf16 units would
# emulate it, several times slower; the smallest nets lose more to conversions than they win.
BF16 = {
    "cuda": frozenset({"cnn", "small_resnet", "torchvision"}),
    # Not torchvision's nets: where an image has shrunk to 1x1, torch 2.14.1's gradient in bf16 of a convolution
    # with stride 2 leaves memory as it was in every weight that the image does not reach.
    "cpu with bf16": frozenset({"small_resnet"}),
    "cpu": frozenset[str](),
}


def device_kind(device: torch.device) -> str:
    """`cuda`, `cpu with bf16` or `cpu`: what decides the numbers of a run beside its config."""
    if device.type == "cuda":
        return "cuda"
    bf16 = torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "cpu with bf16" if bf16 else "cpu"


def autocast(arch: str, device: torch.device) -> torch.autocast:
    family = arch if arch in ("mlp", "cnn", "small_resnet") else "torchvision"
    return torch.autocast(device.type, torch.bfloat16, enabled=family in BF16[device_kind(device)])
