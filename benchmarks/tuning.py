"""Measures the images per second at which pretrained nets are fine-tuned, and the share of the nets' own steps."""

import time
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch
from torch.nn import functional as F

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.storage.sweep_file import Values
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.precision import forward
from sweep.trainable.state import new_state

NETS = ("timm/resnet50", "timm/convnext_tiny", "timm/vit_small_patch16_224")
CLASSES = 10
EPOCHS, STEPS = 3, 20  # the measured ones
RECIPE: Values = dict(
    **dict(pretrained=False, optimizer="adamw", schedule="cosine", lr=3e-4, weight_decay=0.05, label_smoothing=0.1),
    **dict(warmup=0.1, clip=1.0, ema=0.99, mixup=0.2),
    **dict(horizontal_flip=0.5, random_resized_crop=0.5, color_jitter=0.2),
)


def table(device: torch.device, images: int = 4096, batch: int = 64, side: int = 224) -> Iterator[str]:
    """Yields the lines of a table with a row for each net.

    Weights and pixels are random, which takes as long as with any others.

    Args:
      images: the images of an epoch.
      side: the side in px of the images and of the nets' input.
    """
    yield (
        f"Fine-tuning at {side} px in batches of {batch}, all stages, with crops, colours, flips, mixup and the mean "
        f"of the weights; random weights, median of {EPOCHS} epochs of {images:,} images. A net's own step is forward, "
        "back and the optimizer, on a batch that is there."
    )
    yield ""
    yield "| net | images/s | of that time, its own step |"
    yield "| --- | ---: | ---: |"
    data = _random_images(images, batch, side)
    for arch in NETS:
        config = TrialConfig(arch=arch, input_size=side, epochs=EPOCHS + 1, batch_size=batch, **RECIPE)
        epoch_seconds = _seconds_of_epoch(config, data, device)
        step_seconds = _seconds_of_step(config, data, device) * images / batch
        yield f"| {arch} | {images / epoch_seconds:,.0f} | {100 * step_seconds / epoch_seconds:.0f} % |"


def _random_images(train: int, valid: int, side: int) -> Dataset:
    draws = np.random.default_rng(0)

    def split(count: int) -> Split:
        pixels = draws.integers(0, 256, (count, 3, side, side), dtype=np.uint8)
        return Split(tuple(f"{number}.png" for number in range(count)), pixels, np.arange(count) % CLASSES)

    return Dataset(split(train), split(valid), None, tuple(map(str, range(CLASSES))), None, "0" * 64, ())


def _seconds_of_epoch(config: TrialConfig, data: Dataset, device: torch.device) -> float:
    run = train(config, data, new_state(config, data, device=str(device)))
    next(run)  # the first epoch includes work that is done only once
    return median(metrics.seconds for metrics in run)


def _seconds_of_step(config: TrialConfig, data: Dataset, device: torch.device) -> float:
    state = new_state(config, data, device=str(device))
    images = torch.tensor(data.train.images[: config.batch_size], device=device)
    labels = torch.tensor(data.train.truth[: config.batch_size], device=device)
    state.model.train()
    for number in range(STEPS + 3):
        if number == 3:
            began = _now(device)
        F.cross_entropy(forward(config.arch, state.model, images), labels).backward()
        state.optimizer.step()
        state.optimizer.zero_grad()
    return (_now(device) - began) / STEPS


def _now(device: torch.device) -> float:
    """Returns the time when all work that was begun on the device has ended."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
