"""Why `trainable/precision.py` has the entries it has, and why nothing is compiled."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional as F

from benchmarks.conditions import machine
from datasets.dataset import Dataset
from datasets.images import load
from trainable import precision
from trainable.config import TrialConfig
from trainable.loop import train
from trainable.models import build, place
from trainable.optim import new_optimizer
from trainable.precision import Numerics
from trainable.state import new_state

NETS = {
    "mlp": TrialConfig(arch="mlp", width=1.0, lr=0.01),
    "the seed's CNN": TrialConfig(arch="cnn", width=1.0, depth=2, head=128, lr=0.05),
    "cnn, width 4": TrialConfig(arch="cnn", width=4.0, depth=2, head=128, lr=0.05),
    "small_vgg": TrialConfig(arch="small_vgg", width=1.0, lr=0.05),
    "small_resnet, width 1": TrialConfig(arch="small_resnet", width=1.0, depth=1, lr=0.1),
    "small_resnet, width 4": TrialConfig(arch="small_resnet", width=4.0, depth=1, lr=0.1),
    "resnet18": TrialConfig(arch="resnet18", small_stem=False, pretrained=False, lr=0.02),
    "resnet18, small stem": TrialConfig(arch="resnet18", small_stem=True, pretrained=False, lr=0.02),
    "mobilenet_v3_small": TrialConfig(arch="mobilenet_v3_small", pretrained=False, lr=0.05),
}
CHOICES = [Numerics(bf16, channels_last) for bf16 in (False, True) for channels_last in (False, True)]
BATCH, STEPS = 200, 7
SEEDS, EPOCHS = 3, 3  # of the accuracy check
CHECKED = ("the seed's CNN", "small_vgg", "small_resnet, width 1", "resnet18")  # the entries in bf16 on a CPU


def section(data: Path) -> list[str]:
    """Of BENCHMARKS.md."""
    torch.set_num_threads(1)
    images = load(data)
    kind = precision.device_kind(torch.device("cpu"))
    lines = [
        "## Precision and memory format",
        "",
        f"Milliseconds of a step of {BATCH} images of the real data, best of {STEPS}, the four in turn, one thread of "
        f"{machine()} (`{kind}`); in bold what the table of `trainable/precision.py` takes.",
        "",
        "| net | float32 NCHW | float32 NHWC | bf16 NCHW | bf16 NHWC |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, config in NETS.items():
        chosen = precision.numerics(config.arch, torch.device("cpu"))
        cells = [
            f"**{1000 * seconds:.1f}**" if choice == chosen else f"{1000 * seconds:.1f}"
            for choice, seconds in _step_seconds(config, images).items()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Does bf16 train as well? Best validation accuracy of {EPOCHS} epochs, mean of {SEEDS} seeds (one standard "
        "error of a single run on 1,173 images: 0.014).",
        "",
        "| net | float32 | bf16 | difference, seed by seed |",
        "| --- | ---: | ---: | --- |",
    ]
    for name in CHECKED:
        pairs = [[_accuracy(NETS[name], seed, bf16, images) for bf16 in (False, True)] for seed in range(SEEDS)]
        full, half = (mean(values) for values in zip(*pairs, strict=True))
        each = ", ".join(f"{b - a:+.3f}" for a, b in pairs)
        lines.append(f"| {name} | {full:.3f} | {half:.3f} | {each} |")
    lines += [
        "",
        "`torch.compile`, on the same thread: does it pay within a sweep?",
        "",
        "| net | first step, compiling | step, compiled | step, eager | epochs of 8,000 images until it has paid |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in ("the seed's CNN", "small_vgg"):
        lines.append(_compiled(name, images))
    return lines


def _step_seconds(config: TrialConfig, data: Dataset) -> dict[Numerics, float]:
    steps = {choice: _Step(config, data, choice) for choice in CHOICES}
    for step in steps.values():
        step()
    rounds = [{choice: step() for choice, step in steps.items()} for _ in range(STEPS)]
    return {choice: min(each[choice] for each in rounds) for choice in CHOICES}


class _Step:
    """One batch through a net and back; returns its seconds."""

    def __init__(self, config: TrialConfig, data: Dataset, choice: Numerics, is_compiled: bool = False) -> None:
        self.choice = choice
        torch.manual_seed(0)
        with _always(choice):
            model = place(build(config, len(data.classes), data.image_size), config.arch, "cpu")
        self.optimizer = new_optimizer(config, model)
        self.model: Any = torch.compile(model) if is_compiled else model
        assert data.train.labels is not None
        self.images = torch.tensor(data.train.images[:BATCH])
        self.labels = torch.tensor(data.train.labels[:BATCH])

    def __call__(self) -> float:
        started = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.choice.bf16):
            logits = self.model(self.images)
        F.cross_entropy(logits.float(), self.labels).backward()
        self.optimizer.step()
        return time.perf_counter() - started


def _always(choice: Numerics) -> Any:
    """Every architecture computes so, for the block."""
    table = {kind: {"torchvision": choice} for kind in precision.TABLE}
    return patch.object(precision, "TABLE", table)


def _accuracy(config: TrialConfig, seed: int, bf16: bool, data: Dataset) -> float:
    config = replace(config, epochs=EPOCHS, seed=seed, batch_size=128, horizontal_flip=0.5, vertical_flip=0.5)
    with _always(Numerics(bf16=bf16, channels_last=True)):
        return max(metrics.valid_accuracy for metrics in train(config, data, new_state(config, data)))


def _compiled(name: str, data: Dataset) -> str:
    choice = precision.numerics(NETS[name].arch, torch.device("cpu"))
    eager, compiled = (_Step(NETS[name], data, choice, is_compiled) for is_compiled in (False, True))
    eager()
    try:
        first = compiled()
    except Exception as error:  # no C++ compiler on this machine, for example
        return f"| {name} | cannot be compiled here: {type(error).__name__} | | | |"
    slow, fast = (median(step() for _ in range(STEPS)) for step in (eager, compiled))
    steps = len(data.train.images) / BATCH
    paid = f"{first / (slow - fast) / steps:.0f}" if fast < slow else "never"
    return f"| {name} | {first:.1f} s | {1000 * fast:.1f} ms | {1000 * slow:.1f} ms | {paid} |"
