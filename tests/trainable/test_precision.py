"""Precision is a table, not a probe."""

import pytest
import torch

from trainable.models import FAMILIES
from trainable.precision import Numerics, autocast, numerics

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("has_units", "arch", "expected"),
    [
        (True, "small_resnet", True),
        (True, "small_vgg", True),
        (True, "cnn", True),
        (True, "resnet18", True),
        (True, "mlp", False),
        (True, "mobilenet_v3_small", False),
        (False, "small_resnet", False),
    ],
)
def test_a_cpu_trains_in_bf16_where_it_has_units_for_it_and_the_net_gains(monkeypatch, has_units, arch, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_units})

    with autocast(arch, CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert (product.dtype == torch.bfloat16) is expected


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((8, 9), True), ((9, 0), True)]
)
def test_a_gpu_that_would_emulate_bf16_trains_in_float32(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    gpu = torch.device("cuda", 0)

    assert numerics("small_resnet", gpu) == Numerics(bf16=expected, channels_last=True)
    assert numerics("mobilenet_v3_small", gpu).bf16 is expected
    assert not numerics("mlp", gpu).bf16
    assert any(numerics(family.name, gpu).bf16 for family in FAMILIES) is expected


@pytest.mark.parametrize("arch", ["small_resnet", "resnet18"])
def test_the_gradients_of_a_net_whose_images_shrink_to_one_pixel_are_the_same_each_time(arch):
    from trainable.config import TrialConfig
    from trainable.models.net import build

    shape = {"small_resnet": {"width": 1.0, "depth": 1}, "resnet18": {"small_stem": False, "pretrained": False}}[arch]
    config = TrialConfig(arch=arch, **shape)
    model = build(config, 3, (16, 16))
    images = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    seen = []
    for _ in range(6):
        unused = [torch.full((size,), 1e9) for size in (10**4, 10**5, 10**6)]  # what freed memory may hold
        del unused
        model.zero_grad(set_to_none=True)
        with autocast(arch, CPU):
            loss = model(images).float().square().sum()
        loss.backward()
        seen.append([parameter.grad.clone() for parameter in model.parameters()])

    for again in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], again, strict=True))
