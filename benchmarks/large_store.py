"""Measures whether a sweep trains on 16 GB of pixels on the disk as fast as on 2 GB in memory.

    python -m benchmarks.large_store GIGABYTES FORM        # a sweep over them, in a process of its own; JSON

The store is written directly, without photographs to decode, and removed afterwards. Two workers train an MLP, which
asks for images faster than any other net, for two epochs each on all of them, cropped and flipped. The second one
counts: in the first a worker compares each image with its checksum, too.
"""

import json
import os
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loader import measured
from benchmarks.photographs import private_bytes
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.datasets.pixels.form import ARRAY, MAPPED
from sweep.datasets.pixels.stored import StoredPixels
from sweep.trainable.config import TrialConfig

LARGE, SMALL = float(os.environ.get("SWEEP_LARGE_STORE", "16")), 2.0  # GB
SIDE, CLASSES, WORKERS = 224, 10, 2
IMAGE_BYTES = 3 * SIDE * SIDE
VALID = 64
BLOCK = 256  # images that are written at a time


@dataclass(frozen=True)
class Figures:
    """The pace and the memory of one sweep.

    Attributes:
      a_second, first_a_second: images per second of all workers together, in their last epoch and in their first.
      driver, worker: the peak of the private memory of the driver, and of the largest worker, in bytes.
    """

    a_second: float
    first_a_second: float
    driver: int
    worker: int


def measure(gigabytes: float, form: str) -> Figures:
    """Returns the figures of a sweep over data of this size and form, which runs in a process of its own."""
    return Figures(**measured("large_store", gigabytes, form))


def two_epochs(trial: Any) -> TrialConfig:
    """Draws the config of a trial: an MLP that is trained for two epochs on augmented images."""
    lr = trial.suggest_float("lr", 1e-4, 1e-3)
    crops: dict[str, Any] = {"random_resized_crop": 1.0, "horizontal_flip": 0.5}
    return TrialConfig(arch="mlp", width=0.1, lr=lr, batch_size=64, epochs=2, **crops)


def sweep(folder: Path, gigabytes: float, form: str) -> Figures:
    """Runs a sweep with one trial for each worker; this process is its driver."""
    from sweep.search.ray.connection import connected, prepare

    prepare()
    from sweep.search.ray.executor import execute
    from sweep.search.runtime.process import chatter_to
    from sweep.trainable import loop
    from sweep.trainable.worker.ray_trial import RayTrial
    from tests.trials import open_bridge

    log = folder / "log"
    log.mkdir()

    def train(config: Any, data: Any, state: Any) -> Iterator[Any]:
        paces = []
        with PeakMemory() as peak:
            for metrics in loop.train(config, data, state):
                paces.append(len(data.train.images) / metrics.seconds)
                figures = {"bytes": peak.bytes, "last": paces[-1], "first": paces[0]}
                (log / f"{os.getpid()}.json").write_text(json.dumps(figures))
                yield metrics

    class TimedTrial(RayTrial):
        training = staticmethod(train)

    data = _dataset(folder, gigabytes, form)
    bridge, _ = open_bridge(folder / "sweep", WORKERS, two_epochs, sampler="random", pruner="none")
    with chatter_to(folder / "log.txt"), PeakMemory() as peak, connected(None):
        execute(bridge, data, {"cpu": 1.0}, lambda: WORKERS, TimedTrial)
    workers = [json.loads(path.read_text()) for path in log.iterdir()]
    assert len(workers) == WORKERS
    last, first = (sum(each[name] for each in workers) for name in ("last", "first"))
    return Figures(last, first, peak.bytes, max(each["bytes"] for each in workers))


class PeakMemory:
    """Measures the peak of this process's private memory during the block, twice a second."""

    def __init__(self) -> None:
        self.bytes, self.stop = 0, threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self.watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.watcher.join()

    def _watch(self) -> None:
        while not self.stop.is_set():
            self.bytes = max(self.bytes, private_bytes())
            self.stop.wait(0.5)


def _dataset(folder: Path, gigabytes: float, form: str) -> Dataset:
    count = int(gigabytes * 1e9) // IMAGE_BYTES
    stored = _store(folder / "store.pixels", count + VALID)
    train: Pixels = stored.take(np.arange(count))
    train, valid = (train if form == MAPPED else train[:]), stored.take(np.arange(count, count + VALID))
    train_split, valid_split = (Split((), images, np.arange(len(images)) % CLASSES) for images in (train, valid))
    return Dataset(train_split, valid_split, None, tuple(map(str, range(CLASSES))), None, "f" * 64, ())


def _store(path: Path, count: int) -> StoredPixels:
    """Writes `count` different images of noise as raw rows, and returns them."""
    noise = np.random.default_rng(0)
    checksums = np.empty(count, np.uint32)
    with open(path, "wb", buffering=0) as file:
        for start in range(0, count, BLOCK):
            block = np.frombuffer(noise.bytes(min(BLOCK, count - start) * IMAGE_BYTES), np.uint8)
            for number, image in enumerate(block.reshape(-1, IMAGE_BYTES), start):
                checksums[number] = zlib.crc32(image.data)
            file.write(block.data)
    places = np.stack([np.arange(count) * IMAGE_BYTES, np.full(count, IMAGE_BYTES)], 1)
    return StoredPixels(path, MAPPED, (SIDE, SIDE), places, checksums)


if __name__ == "__main__":
    assert sys.argv[2] in (ARRAY, MAPPED)
    with tempfile.TemporaryDirectory(prefix="large-store-") as name:
        result = sweep(Path(name), float(sys.argv[1]), sys.argv[2])
        print(json.dumps(asdict(result)))
