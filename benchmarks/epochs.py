"""Measures the cost of augmentation: as a part of an epoch, and compared with albumentations."""

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import cv2
import torch

from sweep.datasets.augment.batched import batched
from sweep.datasets.augment.pipeline import compose, per_image
from sweep.datasets.pixels.dataset import Dataset
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import train
from sweep.trainable.state import new_state

PLAIN = TrialConfig(
    arch="cnn", width=1.0, depth=2, head=128, optimizer="sgd", schedule="constant", lr=0.01, batch_size=200, epochs=40
)
FLIPS_ROTATE = dict.fromkeys(("horizontal_flip", "vertical_flip", "rotate"), 0.5)
SEVEN = FLIPS_ROTATE | dict.fromkeys(("gauss_noise", "emboss", "hue_saturation_value", "channel_shuffle"), 0.5)
EPOCHS = 15  # timed epochs of each kind; the kinds take turns
BATCH = 200


def one_thread() -> None:
    """Limits torch and OpenCV to one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def augmented_to_plain(data: Dataset) -> tuple[float, dict[str, list[float]]]:
    """Returns the seconds of a plain epoch, and by kind of augmentation the ratios of augmented epochs to plain ones.

    The kinds are flips with rotation, and all seven transforms. Each ratio is of a pair of epochs that ran one after
    the other.
    """
    kinds: dict[str, dict[str, Any]] = {"plain": {}, "flips + rotate": FLIPS_ROTATE, "all seven": SEVEN}
    runs = {}
    for name, probabilities in kinds.items():
        config = replace(PLAIN, **probabilities)
        runs[name] = train(config, data, new_state(config, data))
        next(runs[name])  # the first epoch warms up
    rounds = [{name: next(run).seconds for name, run in runs.items()} for _ in range(EPOCHS)]
    ratios = {name: [each[name] / each["plain"] for each in rounds] for name in kinds if name != "plain"}
    return median(each["plain"] for each in rounds), ratios


def batched_to_albumentations(data: Dataset) -> list[float]:
    """Returns how many times faster the batched transforms are than albumentations' Compose image by image.

    All seven transforms have p = 0.5, in batches of 200.
    """
    pipeline = compose(SEVEN)
    transform = batched(pipeline)
    assert transform is not None
    images = torch.tensor(data.train.images[:BATCH])
    generator = torch.Generator().manual_seed(0)
    ratios = []
    for _ in range(EPOCHS):
        slow = _seconds(lambda: per_image(pipeline, images, 0), 2)
        ratios.append(slow / _seconds(lambda: transform(images, generator), 20))
    return ratios


def _seconds(work: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return median(seconds)
