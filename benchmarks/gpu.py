"""Measures training and sweeps on a GPU, if there is one."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from optuna.trial import FixedTrial
from torch.autograd import DeviceType
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import tuning
from benchmarks.conditions import conditions
from benchmarks.numerics import BATCH as BATCHES
from benchmarks.numerics import NETS, tables
from benchmarks.rival_space import suggest
from benchmarks.sweeps import Work, ours
from sweep.datasets.load import load
from sweep.datasets.pixels.dataset import Dataset
from sweep.trainable import step
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.models.net import build, place
from sweep.trainable.precision import forward
from sweep.trainable.state import new_state

EPOCHS, BATCH = 5, BATCHES["cuda"]
WORK = Work("cnn", 50, 20)
EAGER_TRIALS = 5
SHARES = (1.0, 1 / 4, 1 / 16)  # the parts of a GPU that a trial gets


def section(data: Path) -> Iterator[str]:
    """Yields the lines of BENCHMARKS.md, each as soon as it is measured."""
    device, images = torch.device("cuda"), load(data)
    peak = _matmul_flops(device)
    yield conditions("make bench ARGS=gpu", f"{torch.cuda.get_device_name()}, n = 1 where no other is named")
    yield ""
    yield (
        f"A trial alone on the device, batches of {BATCH}, two flips, median of {EPOCHS} epochs with their validation; "
        "its steps launched kernel by kernel, and whole, as CUDA graphs, where `trainable/graphed.py` has them so. "
        f"A product of two matrices of 8,192 in bf16 goes at {peak / 1e12:.0f} TFLOP/s; the host launches a kernel in "
        f"{1e6 * _launch_seconds(device):.0f} µs."
    )
    yield ""
    yield "| net | images/s, kernel by kernel | device idle | images/s, as graphs | device idle | of a product's rate |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, config in NETS.items():
        with _kernel_by_kernel():
            slow_rate, slow_busy = _images_a_second(config, images, device)
        rate, busy = _images_a_second(config, images, device)
        utilization = rate * _flops_an_image(config, images, device) / peak
        idle = [f"{100 * (1 - share):.0f} %" for share in (slow_busy, busy)]
        yield f"| {name} | {slow_rate:,.0f} | {idle[0]} | {rate:,.0f} | {idle[1]} | {100 * utilization:.1f} % |"
    yield ""
    yield f"{WORK}, wall time, beside the same trials one at a time in one process without Ray, kernel by kernel"
    yield f"({EAGER_TRIALS} of them, times {WORK.trials / EAGER_TRIALS:g}) and as CUDA graphs:"
    yield ""
    yield "| trials | s | first to last step, s | times as fast |"
    yield "| --- | ---: | ---: | ---: |"
    with _kernel_by_kernel():
        eager_seconds = _one_at_a_time(images, device, EAGER_TRIALS) * WORK.trials / EAGER_TRIALS
    yield f"| one at a time, kernel by kernel | {eager_seconds:.0f} | {eager_seconds:.0f} | 1 |"
    graph_seconds = _one_at_a_time(images, device, WORK.trials)
    ratio = eager_seconds / graph_seconds
    yield f"| one at a time, as graphs | {graph_seconds:.0f} | {graph_seconds:.0f} | {ratio:.1f} |"
    for share in SHARES:
        run = ours(WORK, data, is_timed=True, concurrency=round(1 / share), gpus=share)
        ratio = eager_seconds / run.seconds
        yield f"| a sweep, {share:g} GPU a trial | {run.seconds:.0f} | {run.span:.0f} | {ratio:.1f} |"
    yield ""
    yield from tables(images, device, torch.cuda.get_device_name())
    yield ""
    yield from tuning.table(device)


def _kernel_by_kernel() -> AbstractContextManager[Any]:
    return patch.object(step, "STEPS_BEFORE_GRAPH", math.inf)


def _images_a_second(config: TrialConfig, data: Dataset, device: torch.device) -> tuple[float, float]:
    """Returns the training images per second, with validation, and the share of an epoch in which a kernel ran."""
    config = replace(config, epochs=EPOCHS + 2, batch_size=BATCH, horizontal_flip=0.5, vertical_flip=0.5)
    run = train(config, data, new_state(config, data, device=str(device)))
    next(run)
    seconds = median(next(run).seconds for _ in range(EPOCHS))
    with torch.profiler.profile() as profile:
        next(run)
    # Events of the CPU side are left out, because they contain the times of their kernels again.
    device_events = [event for event in profile.key_averages() if event.device_type == DeviceType.CUDA]
    kernels = sum(event.self_device_time_total for event in device_events if not event.is_user_annotation) / 1e6
    return len(data.train.images) / seconds, kernels / seconds


def _flops_an_image(config: TrialConfig, data: Dataset, device: torch.device) -> float:
    """Returns the floating point operations for one image, forward and backward."""
    model = place(build(config, len(data.classes), data.image_size), config.arch, device)
    images = torch.tensor(data.train.images[:8], device=device)
    with FlopCounterMode(display=False) as counter:
        logits = forward(config.arch, model, images)
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


def _launch_seconds(device: torch.device, times: int = 2000) -> float:
    one = torch.zeros((), device=device).add_(1)
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(times):
        one.add_(1)
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / times


def _one_at_a_time(data: Dataset, device: torch.device, trials: int) -> float:
    """Returns the seconds of the first trials in the training loop alone, without Ray, ledger or files."""
    started = time.perf_counter()
    for settings in WORK.configs()[:trials]:
        config = suggest(FixedTrial(settings))
        for _ in train(config, data, new_state(config, data, device=str(device))):
            pass
    return time.perf_counter() - started
