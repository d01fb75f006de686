"""What a GPU does, where there is one."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch.autograd import DeviceType
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.numerics import NETS
from benchmarks.sweeps import Work, ours
from datasets.dataset import Dataset
from datasets.images import load
from trainable.config import TrialConfig
from trainable.loop import train
from trainable.models import build, place
from trainable.precision import autocast
from trainable.state import new_state

EPOCHS = 5
WORK = Work("cnn", 50, 20)
SHARES = (1.0, 1 / 4, 1 / 16)  # of a GPU, a trial


def section(data: Path) -> list[str]:
    """Of BENCHMARKS.md."""
    lines = ["## GPU", ""]
    if not torch.cuda.is_available():
        return [*lines, "No GPU: what `trainable/precision.py` takes on one was not measured."]
    device, images = torch.device("cuda"), load(data)
    peak = _matmul_flops(device)
    lines += [
        f"{torch.cuda.get_device_name()}; the rate of an 8192x8192 product in bf16, {peak / 1e12:.0f} TFLOP/s, is all.",
        "",
        "| net | images/s in training | of the rate of a matrix product | device idle |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, config in NETS.items():
        rate, busy = _images_a_second(config, images, device)
        used = rate * _flops_an_image(config, images, device) / peak
        lines.append(f"| {name} | {rate:,.0f} | {100 * used:.1f} % | {100 * (1 - busy):.0f} % |")
    lines += ["", f"{WORK}, wall time, beside the same trials one at a time in one process (float32, eager):", ""]
    lines += ["| GPU a trial | s | times as fast |", "| ---: | ---: | ---: |"]
    alone = _one_at_a_time(images, device)
    for share in SHARES:
        seconds = ours(WORK, data, concurrency=round(1 / share), gpus=share).seconds
        lines.append(f"| {share:g} | {seconds:.0f} | {alone / seconds:.1f} |")
    return lines


def _images_a_second(config: TrialConfig, data: Dataset, device: torch.device) -> tuple[float, float]:
    """Of train images, an epoch's validation among its seconds; and the share of an epoch that a kernel ran."""
    config = replace(config, epochs=EPOCHS + 2, batch_size=512, horizontal_flip=0.5, vertical_flip=0.5)
    run = train(config, data, new_state(config, data, device=str(device)))
    next(run)
    seconds = median(next(run).seconds for _ in range(EPOCHS))
    with torch.profiler.profile() as profile:
        next(run)
    # The events of the CPU side have the times of their kernels once more.
    on_device = [event for event in profile.key_averages() if event.device_type == DeviceType.CUDA]
    kernels = sum(event.self_device_time_total for event in on_device if not event.is_user_annotation) / 1e6
    return len(data.train.images) / seconds, kernels / seconds


def _flops_an_image(config: TrialConfig, data: Dataset, device: torch.device) -> float:
    """Forward and backward."""
    model = place(build(config, len(data.classes), data.image_size), config.arch, device)
    images = torch.tensor(data.train.images[:8], device=device)
    with FlopCounterMode(display=False) as counter:
        with autocast(config.arch, device):
            logits = model(images).float()
        F.cross_entropy(logits, torch.zeros(8, dtype=torch.int64, device=device)).backward()
    return counter.get_total_flops() / 8


def _matmul_flops(device: torch.device, side: int = 8192, times: int = 20) -> float:
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    for repetition in range(times + 3):
        if repetition == 3:
            torch.cuda.synchronize()
            started = time.perf_counter()
        matrix @ matrix
    torch.cuda.synchronize()
    return 2 * side**3 * times / (time.perf_counter() - started)


def _one_at_a_time(data: Dataset, device: torch.device) -> float:
    """Seconds of the same configs, trained by a plain loop in float32: images on the device, no augmentation."""
    images = torch.tensor(data.train.images, device=device).float()
    labels = torch.tensor(data.train.labels, device=device)
    started = time.perf_counter()
    for number, settings in enumerate(WORK.configs()):
        config = replace(NETS["the seed's CNN"], seed=number)
        torch.manual_seed(number)
        model = build(config, len(data.classes), data.image_size).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=settings["lr"], momentum=0.9, weight_decay=5e-4)
        for _ in range(WORK.epochs):
            order = torch.randperm(len(labels), device=device)
            for chosen in order.split(WORK.batch_size):
                optimizer.zero_grad()
                F.cross_entropy(model(images[chosen]), labels[chosen]).backward()
                optimizer.step()
    torch.cuda.synchronize()
    return time.perf_counter() - started
