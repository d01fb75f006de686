"""Measures the pace of the image loader alone, without a net, beside torchvision's.

    python -m benchmarks.loader FOLDER        # run by `measured`; prints JSON

The images are photographs of 500x375 px in class folders, as `benchmarks/photographs.py` makes them. torchvision's side
follows its documentation, with an ImageFolder, and a DataLoader with one process per core; its files are in the
machine's memory. Our side reads the pixels that a first start has stored, as every epoch of every trial does.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import torch

from benchmarks.photographs import ROOT, descendants
from sweep.datasets.augment.batched import batched
from sweep.datasets.augment.pipeline import compose
from sweep.datasets.load import load
from sweep.datasets.pixels import form
from sweep.datasets.pixels.dataset import Dataset
from sweep.storage.sweep_file import DataOptions
from sweep.trainable.allocator import keep_freed_memory
from sweep.trainable.images import TrainingImages

COUNT = 2500  # photographs
CORES = 2
ROUNDS = 5
SIDE, BATCH = 224, 64
CROP = {"scale": (0.35, 1.0), "ratio": (3 / 4, 4 / 3)}  # as a config's `random_resized_crop` has it
LIMITS = {form.MAPPED: None, form.JPEG: 0}  # bytes above which pixels are kept as JPEG
AUGMENTED: dict[str, Any] = {"random_resized_crop": 1.0, "horizontal_flip": 0.5}


@dataclass(frozen=True)
class Pace:
    """A pace: images per second by the clock, and per second of processor time."""

    a_second: float
    of_processor: float

    def relative_to(self, other: "Pace") -> "Pace":
        """Returns this pace relative to another: both figures as ratios."""
        return Pace(self.a_second / other.a_second, self.of_processor / other.of_processor)


def measured(module: str, *words: object) -> Any:
    """Runs a module of this folder in a process and with a cache of its own; returns the JSON that it prints last."""
    with tempfile.TemporaryDirectory(prefix="loader-") as cache:
        command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, words)]
        environment = os.environ | {"XDG_CACHE_HOME": cache, "RAY_ADDRESS": "local"}
        process = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(process.stdout.splitlines()[-1])


def alone(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Returns the paces of epochs that load, crop and flip, in turn by torchvision and from each of our stored forms.

    Both sides have one process per core. Torchvision's processes share an epoch; each of ours has one of its own.
    """
    with ExitStack() as stack:
        sides = {"torchvision": _torchvision_epoch(folder)} | {
            form_name: _own_epoch(folder, form_name, stack) for form_name in LIMITS
        }
        for epoch in sides.values():
            epoch()  # not timed, because it includes work that is done only once
        paces = [{side: asdict(pace_of(epoch)) for side, epoch in sides.items()} for _ in range(ROUNDS)]
    return {side: [each[side] for each in paces] for side in sides}


def _torchvision_epoch(folder: Path) -> Callable[[], int]:
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    steps = [transforms.RandomResizedCrop(SIDE, **CROP), transforms.RandomHorizontalFlip(), transforms.PILToTensor()]
    images = ImageFolder(str(folder / "train"), transforms.Compose(steps))
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=CORES, persistent_workers=True)
    return lambda: sum(len(batch) for batch, _ in loader)


def _own_epoch(folder: Path, form_name: str, stack: ExitStack) -> Callable[[], int]:
    data_of(folder, SIDE, form_name)  # decoded once here, before both workers read the stored pixels
    pools = (ProcessPoolExecutor(1, get_context("spawn"), as_worker_of, (1,)) for _ in range(CORES))
    workers = [stack.enter_context(pool) for pool in pools]

    def epoch() -> int:
        futures = [worker.submit(_load_epoch, folder, form_name) for worker in workers]
        return sum(future.result() for future in futures)

    return epoch


def _load_epoch(folder: Path, form_name: str) -> int:
    """Loads, crops and flips the training images once, as a step of training does; returns how many they are."""
    images, count = _images(folder, form_name)
    transform = batched(compose(AUGMENTED))
    assert transform is not None
    generator = torch.Generator()
    batches = torch.randperm(count, generator=generator).split(BATCH)
    images.begin(batches)
    total = 0
    for rows in batches:
        images.load()
        total += len(transform(images.take(rows), generator))
    return total


@cache
def _images(folder: Path, form_name: str) -> tuple[TrainingImages, int]:
    images = data_of(folder, SIDE, form_name).train.images
    return TrainingImages(images, torch.device("cpu"), BATCH), len(images)


def data_of(folder: Path, side: int, form_name: str) -> Dataset:
    """Loads the photographs as training data with a side in px and a stored form, even if they would fit in memory."""
    with patch.object(form, "ARRAY_BYTES", 0):
        data = load(folder, DataOptions(image_size=side, cache_limit=LIMITS[form_name])).for_training()
    assert data.form == form_name
    return data


def pace_of(epoch: Callable[[], int]) -> Pace:
    """Runs an epoch, a function that returns the number of its images, and returns its pace."""
    clock, processor = time.monotonic(), _processor_seconds()
    count = epoch()
    return Pace(count / (time.monotonic() - clock), count / (_processor_seconds() - processor))


def _processor_seconds() -> float:
    """Returns the processor time of this process and of all running ones that it has started."""
    ticks = 0
    for pid in descendants(os.getpid()):
        ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def as_worker_of(count: int) -> None:
    """Sets up this process like a worker that has `count` cores."""
    torch.set_num_threads(count)
    cv2.setNumThreads(0)
    keep_freed_memory()


if __name__ == "__main__":
    print(json.dumps(alone(Path(sys.argv[1]))))
