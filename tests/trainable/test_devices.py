"""Which device a trial gets. There is neither a GPU of NVIDIA's nor one of Apple's here: what torch says is faked."""

import numpy as np
import pytest
import torch

from sweep.trainable import devices, images
from sweep.trainable.devices import fastest, free_bytes, of_worker, widest
from sweep.trainable.images import placed

MPS, CPU = torch.device("mps"), torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    def make(cuda=False, mps=False, system="linux", processor="x86_64"):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(devices.sys, "platform", system)
        monkeypatch.setattr(devices.platform, "machine", lambda: processor)

    return make


@pytest.mark.parametrize(
    ("about", "alone", "with_gpu"),
    [
        ({}, "cpu", "cuda"),
        ({"cuda": True}, "cuda", "cuda"),
        ({"mps": True, "system": "darwin", "processor": "arm64"}, "mps", "mps"),
        ({"system": "darwin", "processor": "arm64"}, "cpu", "cpu"),  # a virtual machine, which has no GPU
        ({"system": "darwin"}, "cpu", "cuda"),  # Intel's: Ray gives nobody a GPU there
    ],
)
def test_a_command_takes_the_fastest_device_and_a_worker_what_ray_has_given_it(machine, about, alone, with_gpu):
    machine(**about)

    assert fastest() == alone
    assert of_worker(1.0) == of_worker(0.25) == with_gpu
    assert of_worker(0) == "cpu"


def test_sums_are_in_float64_but_for_apples_gpus_which_have_none():
    assert (widest(CPU), widest(torch.device("cuda", 0)), widest(MPS)) == (torch.float64, torch.float64, torch.float32)


def test_the_memory_of_apples_gpus_is_asked_of_them(monkeypatch):
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 1000)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 400)
    pixels = np.zeros((2, 3, 5, 10), np.uint8)

    assert free_bytes(MPS) == 600
    monkeypatch.setattr(images, "GPU_SHARE", 0.4)  # of which 300 bytes are more
    assert placed(pixels, MPS) is pixels
