"""Does a net wait for its images? What the loader gives alone, beside torchvision's, and what a net learns from.

    python -m benchmarks.loader alone FOLDER        # what `measured` runs in a process of its own; JSON

The images are photographs of 500x375 px in class folders, as `benchmarks/photographs.py` makes them. torchvision's side
is its documentation's, an ImageFolder and a DataLoader with a process a core; its files lie in the machine's memory.
Ours reads what a first start has stored, as every epoch of every trial does. Of nets the weights are random, which
takes as long as any others.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import torch
from torch.nn import functional as F

from benchmarks.photographs import ROOT, descendants
from datasets.augment.batched import batched
from datasets.augment.pipeline import compose
from datasets.load import load
from datasets.pixels import form, stored
from datasets.pixels.dataset import Dataset
from datasets.pixels.rows import taken
from storage.sweep_file import DataOptions
from trainable import loop, step
from trainable.allocator import keep_freed_memory
from trainable.config import TrialConfig
from trainable.images import TrainingImages
from trainable.models import frozen
from trainable.precision import forward
from trainable.state import new_state

COUNT = 2500  # photographs
CORES = 2
ROUNDS = 3
SIDE, BATCH = 224, 64
CROP = {"scale": (0.35, 1.0), "ratio": (3 / 4, 4 / 3)}  # what a config's `random_resized_crop` draws
LIMITS = {form.MAPPED: None, form.JPEG: 0}  # bytes above which pixels are kept as JPEG
LITE0 = TrialConfig(
    arch="timm/tf_efficientnet_lite0", pretrained=False, batch_size=BATCH, epochs=ROUNDS + 1, optimizer="adamw"
)
AUGMENTED: dict[str, Any] = {"random_resized_crop": 1.0, "horizontal_flip": 0.5}
NETS = {  # the config, the side in px, and the images of an epoch
    "frozen": (replace(LITE0, input_size=64, frozen_stages=99), 64, 8 * BATCH),
    "tuned": (replace(LITE0, input_size=128), 128, 2 * BATCH),
    "at 224 px": (replace(LITE0, input_size=224), 224, BATCH),
}


@dataclass(frozen=True)
class Pace:
    """Images a second by the clock, and of one second of a processor."""

    a_second: float
    of_processor: float

    def over(self, other: "Pace") -> "Pace":
        return Pace(self.a_second / other.a_second, self.of_processor / other.of_processor)


def measured(part: str, folder: Path) -> Any:
    """Returns what a function of `PARTS` does, which runs in a process of its own with a cache of its own."""
    with tempfile.TemporaryDirectory(prefix="loader-") as cache:
        words = [sys.executable, "-m", "benchmarks.loader", part, str(folder)]
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        done = subprocess.run(words, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def alone(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Returns the paces of epochs that load, crop and flip, in turn by torchvision and from each form.

    Torchvision has a process a core that loads; we have one too, each a worker of one core with an epoch of its own.
    """
    with ExitStack() as stack:
        sides = {"torchvision": _of_torchvision(folder)} | {kept: _of_ours(folder, kept, stack) for kept in LIMITS}
        for epoch in sides.values():
            epoch()  # what is made once is made in it
        paces = [{side: asdict(_pace(epoch)) for side, epoch in sides.items()} for _ in range(ROUNDS)]
    return {side: [each[side] for each in paces] for side in sides}


def _of_torchvision(folder: Path) -> Callable[[], int]:
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    change = [transforms.RandomResizedCrop(SIDE, **CROP), transforms.RandomHorizontalFlip(), transforms.PILToTensor()]
    images = ImageFolder(str(folder / "train"), transforms.Compose(change))
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=CORES, persistent_workers=True)
    return lambda: sum(len(batch) for batch, _ in loader)


def _of_ours(folder: Path, kept: str, stack: ExitStack) -> Callable[[], int]:
    _data(folder, SIDE, kept)  # decoded once, before both read what is kept
    workers = [stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"), _threads, (1,))) for _ in range(CORES)]

    def epoch() -> int:
        running = [worker.submit(_loaded, folder, kept) for worker in workers]
        return sum(each.result() for each in running)

    return epoch


def _loaded(folder: Path, kept: str) -> int:
    """Loads, crops and flips the training images once, as a step of training does; returns how many they are."""
    images, count = _images(folder, kept)
    change = batched(compose(AUGMENTED))
    assert change is not None
    generator = torch.Generator()
    chosen = torch.randperm(count, generator=generator).split(BATCH)
    images.begin(chosen)
    found = 0
    for rows in chosen:
        images.load()
        found += len(change(images.take(rows), generator))
    return found


@cache
def _images(folder: Path, kept: str) -> tuple[TrainingImages, int]:
    images = _data(folder, SIDE, kept).train.images
    return TrainingImages(images, torch.device("cpu"), BATCH), len(images)


def beside_ready_batch(folder: Path) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Returns, for nets and forms, the paces of epochs over those of the same net on one ready batch.

    On one core, which the threads that read share with the net.
    """
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name in ("frozen", "tuned"):
        config, side, count = NETS[name]
        ready = _ready(config, _few(_data(folder, side, form.MAPPED), count))
        runs = {kept: _epochs(config, _few(_data(folder, side, kept), count)) for kept in LIMITS}
        for run in (ready, *runs.values()):
            run()
        found[name] = {kept: [] for kept in LIMITS}
        for _ in range(ROUNDS):
            on_ready = _pace(ready)
            for kept, run in runs.items():
                found[name][kept].append(asdict(_pace(run).over(on_ready)))
    return found


def _epochs(config: TrialConfig, data: Dataset) -> Callable[[], int]:
    config = replace(config, **AUGMENTED)  # crops, so that what frozen stages make of an image is not kept
    run = loop.train(config, data, new_state(config, data))

    def epoch() -> int:
        next(run)
        return len(data.train.images)

    return epoch


def _ready(config: TrialConfig, data: Dataset) -> Callable[[], int]:
    state, size = new_state(config, data), config.batch_size
    images, labels = torch.tensor(data.train.images[:size]), torch.tensor(data.train.truth[:size])
    state.model.train()
    frozen.judge(state.model)

    def steps() -> int:
        for _ in range(len(data.train.images) // size):
            state.optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(forward(config.arch, state.model, images), labels).backward()
            state.optimizer.step()
        return len(data.train.images)

    return steps


def shares_at_224_px(folder: Path) -> dict[str, dict[str, float]]:
    """Returns, for each form, the milliseconds of a core that an image takes while lite0 is fine-tuned at 224 px."""
    config, side, count = NETS["at 224 px"]
    found = {}
    for kept in LIMITS:
        epoch, spent = _epochs(config, _few(_data(folder, side, kept), count)), defaultdict[str, float](float)
        with ExitStack() as stack:
            for place, name, what in PLACES:
                stack.enter_context(patch.object(place, name, _counted(getattr(place, name), what, spent)))
            epoch()
            spent.clear()
            started = time.process_time()
            for _ in range(ROUNDS):
                epoch()
            total = time.process_time() - started
        spent["read"] -= spent["decode"]
        spent["all else"] = total - sum(spent.values())
        del spent["validation"]  # of 2 images: as large a part of the time as anybody makes it
        found[kept] = {what: 1000 * seconds / ROUNDS / count for what, seconds in spent.items()}
    return found


PLACES = [
    (stored.StoredPixels, "read_into", "read"),
    (stored, "decoded", "decode"),
    (step.Step, "_batch", "crop and flip"),
    (step.Step, "_backpropagated", "forward and backward"),
    (step.Step, "_descend", "optimizer"),
    (loop, "predict_logits", "validation"),
]


def _counted(function: Any, what: str, spent: dict[str, float]) -> Any:
    def counted(*arguments: Any, **named: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*arguments, **named)
        finally:
            spent[what] += time.thread_time() - started

    return counted


def _data(folder: Path, side: int, kept: str) -> Dataset:
    """Returns the photographs at a size in a form, whatever their size is."""
    with patch.object(form, "ARRAY_BYTES", 0):
        data = load(folder, DataOptions(image_size=side, cache_limit=LIMITS[kept])).for_training()
    assert data.form == kept
    return data


def _few(data: Dataset, count: int) -> Dataset:
    """Returns so many training images, spread over all, and two to be judged by, which hardly take time."""

    def some(split: Any, count: int) -> Any:
        rows = torch.arange(count).mul(len(split.images)).div(count, rounding_mode="floor").numpy()
        return replace(split, images=taken(split.images, rows), labels=split.labels[rows])

    return replace(data, train=some(data.train, count), valid=some(data.valid, 2))


def _pace(epoch: Callable[[], int]) -> Pace:
    clock, processor = time.monotonic(), _processor_seconds()
    count = epoch()
    return Pace(count / (time.monotonic() - clock), count / (_processor_seconds() - processor))


def _processor_seconds() -> float:
    """Of this process and of all that it has started and that still run."""
    ticks = 0
    for pid in descendants(os.getpid()):
        ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _threads(count: int) -> None:
    """Sets up this process as a worker of so many cores is."""
    torch.set_num_threads(count)
    cv2.setNumThreads(0)
    keep_freed_memory()


def on_one_core(part: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def on_one(folder: Path) -> Any:
        _threads(1)
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        return part(folder)

    return on_one


PARTS: dict[str, Callable[[Path], Any]] = {
    "alone": alone,
    "ready": on_one_core(beside_ready_batch),
    "shares": on_one_core(shares_at_224_px),
}


def section(folder: Path) -> Iterator[str]:
    """Yields the lines of the table that says where the time goes."""
    shares = measured("shares", folder)
    yield (
        f"EfficientNet-Lite0 fine-tuned at 224 px, all stages, with crops and flips, in batches of {BATCH} on one "
        "core: milliseconds of the core for an image."
    )
    yield ""
    yield f"| | {' | '.join(f'from the {kept} store' for kept in shares)} |"
    yield "| --- | ---: | ---: |"
    for what in dict.fromkeys(what for each in shares.values() for what in each):
        cells = (
            f"{each.get(what, 0):.2f} ({100 * each.get(what, 0) / sum(each.values()):.1f} %)"
            for each in shares.values()
        )
        yield f"| {what} | {' | '.join(cells)} |"


if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]](Path(sys.argv[2]))))
