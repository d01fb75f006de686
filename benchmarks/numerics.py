"""Measures why the families of `trainable/models/` use their precision and memory format, and why none is compiled."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.conditions import machine
from sweep.datasets.load import load
from sweep.datasets.pixels.dataset import Dataset
from sweep.trainable import precision
from sweep.trainable.config import TrialConfig
from sweep.trainable.graphed import Graphed
from sweep.trainable.loop import train
from sweep.trainable.models.net import build, place
from sweep.trainable.optim import new_optimizer
from sweep.trainable.precision import Numerics
from sweep.trainable.state import new_state

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
FORMATS = (torch.float32, torch.bfloat16)
CHOICES = [Numerics(format, is_last) for format in FORMATS for is_last in (False, True)]
BATCH = {"cpu": 200, "cuda": 512}
STEPS = 7
SEEDS, EPOCHS = 3, 3  # in the accuracy check
# The nets whose accuracy is compared between formats, if they use bf16.
ACCURACY_NETS = ("the seed's CNN", "small_vgg", "small_resnet, width 1", "resnet18", "mobilenet_v3_small")
COMPILED_NETS = ("the seed's CNN", "small_vgg")


def section(data: Path) -> list[str]:
    """Returns the lines of BENCHMARKS.md for a CPU."""
    torch.set_num_threads(1)
    device_text = f"one thread of {machine()}"
    return ["## Precision and memory format", "", *tables(load(data), torch.device("cpu"), device_text)]


def tables(images: Dataset, device: torch.device, device_text: str) -> Iterator[str]:
    """Yields, line by line, tables of all choices of `trainable.precision.Numerics` and of the gain by compiling.

    Args:
      device_text: the device in words.
    """
    units = "with" if precision.format_of(device) is torch.bfloat16 else "without"
    yield (
        f"Milliseconds of a step of {BATCH[device.type]} images of the real data, best of {STEPS}, the four columns "
        f"measured in turn, {device_text} ({units} units for bf16); in bold what the net's family in "
        "`trainable/models/` takes, which need not be the fastest."
    )
    yield from ("", "| net | float32 NCHW | float32 NHWC | bf16 NCHW | bf16 NHWC |")
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name, config in NETS.items():
        chosen = precision.numerics(config.arch, device)
        cells = [
            f"**{1000 * seconds:.2f}**" if choice == chosen else f"{1000 * seconds:.2f}"
            for choice, seconds in _step_seconds(config, images, device).items()
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield (
        f"Does bf16 train as well? Best validation accuracy of {EPOCHS} epochs, mean of {SEEDS} seeds (one standard "
        "error of a single run on 1,173 images: 0.014)."
    )
    yield from ("", "| net | float32 | bf16 | difference, seed by seed |", "| --- | ---: | ---: | --- |")
    for name in ACCURACY_NETS:
        if precision.numerics(NETS[name].arch, device).format is not torch.bfloat16:
            continue
        pairs = [[_accuracy(NETS[name], seed, format, images, device) for format in FORMATS] for seed in range(SEEDS)]
        full, half = (mean(values) for values in zip(*pairs, strict=True))
        differences = ", ".join(f"{b - a:+.3f}" for a, b in pairs)
        yield f"| {name} | {full:.3f} | {half:.3f} | {differences} |"
    yield from ("", "`torch.compile`, on the same: does it pay within a sweep?", "")
    yield "| net | first step, compiling | step, compiled | not compiled | epochs of 8,000 images until it has paid |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in COMPILED_NETS:
        yield _compile_row(name, images, device)


def _step_seconds(config: TrialConfig, data: Dataset, device: torch.device) -> dict[Numerics, float]:
    steps = {choice: _Step(config, data, choice, device) for choice in CHOICES}
    for step in steps.values():
        step.warm_up()
    rounds = [{choice: step() for choice, step in steps.items()} for _ in range(STEPS)]
    return {choice: min(each[choice] for each in rounds) for choice in CHOICES}


class _Step:
    """Trains a net on one batch, forward and backward; a call returns its seconds."""

    def __init__(
        self, config: TrialConfig, data: Dataset, choice: Numerics, device: torch.device, is_compiled: bool = False
    ) -> None:
        self.choice, self.device = choice, device
        torch.manual_seed(0)
        with _force_numerics(choice):
            model = place(build(config, len(data.classes), data.image_size), config.arch, device)
        self.optimizer = new_optimizer(config, model)
        self.model: Any = torch.compile(model) if is_compiled else model
        assert data.train.labels is not None
        batch = BATCH[device.type]
        self.images = torch.tensor(data.train.images[:batch], device=device)
        self.labels = torch.tensor(data.train.labels[:batch], device=device)
        self.step: Callable[[Tensor], Tensor] = self._train_batch

    def warm_up(self) -> None:
        """Runs the first steps; a GPU runs later ones as a graph, so that the host's part does not count."""
        self()
        if self.device.type == "cuda":
            self()
            self.step = Graphed(self._train_batch, self.images)

    def __call__(self) -> float:
        started = time.perf_counter()
        self.step(self.images)
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    def _train_batch(self, images: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with precision.cast_to(self.choice.format, self.device):
            logits = self.model(images)
        loss = F.cross_entropy(logits.float(), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def _force_numerics(choice: Numerics) -> Any:
    """Makes every architecture compute with this choice within the block."""
    return patch.object(precision, "numerics", lambda *_: choice)


def _accuracy(config: TrialConfig, seed: int, format: torch.dtype, data: Dataset, device: torch.device) -> float:
    config = replace(config, epochs=EPOCHS, seed=seed, batch_size=128, horizontal_flip=0.5, vertical_flip=0.5)
    with _force_numerics(Numerics(format, channels_last=True)):
        state = new_state(config, data, device=device.type)
        return max(metrics.valid_accuracy for metrics in train(config, data, state))


def _compile_row(name: str, data: Dataset, device: torch.device) -> str:
    choice = precision.numerics(NETS[name].arch, device)
    eager_step, compiled_step = (_Step(NETS[name], data, choice, device, is_compiled) for is_compiled in (False, True))
    eager_step.warm_up()
    try:
        first_seconds = compiled_step()
        compiled_step.warm_up()
    except Exception as error:  # for example because this machine has no C++ compiler
        return f"| {name} | does not go here: {type(error).__name__} | | | |"
    slow, fast = (median(step() for _ in range(STEPS)) for step in (eager_step, compiled_step))
    steps = len(data.train.images) / BATCH[device.type]
    payoff_epochs = f"{first_seconds / (slow - fast) / steps:,.0f}" if fast < slow else "never"
    return f"| {name} | {first_seconds:.1f} s | {1000 * fast:.2f} ms | {1000 * slow:.2f} ms | {payoff_epochs} |"
