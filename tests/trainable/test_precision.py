"""Precision is a table, not a probe."""

import pytest
import torch

from sweep.trainable.models import FAMILIES
from sweep.trainable.precision import Numerics, autocast, numerics

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
    ("capability", "expected"),
    [
        ((3, 7), torch.float32),  # K80
        ((5, 2), torch.float32),  # M40
        ((6, 0), torch.float16),  # P100
        ((6, 1), torch.float32),  # P4, P40
        ((7, 0), torch.float16),  # V100
        ((7, 5), torch.float16),  # T4
        ((8, 0), torch.bfloat16),  # A100
        ((8, 9), torch.bfloat16),  # L4
        ((9, 0), torch.bfloat16),  # H100
        ((12, 0), torch.bfloat16),  # RTX 50
    ],
)
def test_a_gpu_multiplies_in_the_format_that_it_has_units_for(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    gpu = torch.device("cuda", 0)

    assert numerics("small_resnet", gpu) == Numerics(expected, channels_last=True)
    assert numerics("mobilenet_v3_small", gpu).format is expected
    assert numerics("mlp", gpu).format is torch.float32
    assert {numerics(family.name, gpu).format for family in FAMILIES} == {expected, torch.float32}


def test_apples_gpus_multiply_in_float32():
    assert {numerics(family.name, torch.device("mps")).format for family in FAMILIES} == {torch.float32}


def test_the_names_of_kept_features_have_the_format_as_they_had_it_when_there_were_two():
    named = [Numerics(format, True).in_names for format in (torch.float32, torch.bfloat16, torch.float16)]

    assert named == [False, True, "float16"]


@pytest.mark.parametrize("arch", ["small_resnet", "resnet18"])
def test_the_gradients_of_a_net_whose_images_shrink_to_one_pixel_are_the_same_each_time(arch):
    from sweep.trainable.config import TrialConfig
    from sweep.trainable.models.net import build

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
