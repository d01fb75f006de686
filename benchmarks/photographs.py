"""Measures how fast a hundred thousand photographs are listed, checked, hashed and stored, and in how much memory.

The photographs are generated for the measurement, as JPEG of 500x375 px and about 40 KB, and removed afterwards. They
are stored in a cache folder of their own.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
COUNT = int(os.environ.get("SWEEP_PHOTOGRAPHS", "100_000"))
WIDTH, HEIGHT, CLASSES, QUALITY = 500, 375, 10, 88
VALID_SHARE = 0.02  # the share of the photographs in the validation split
BATCH, STEPS = 64, 40  # in the training in which the wait is measured
SIDES = (64, 224)
LARGE = 1_281_167  # the number of images of ImageNet, to which the figures are extrapolated


@dataclass(frozen=True)
class Measurements:
    """The measurements at one size of images.

    Attributes:
      a_second: photographs per second that a first start lists, checks, hashes and stores.
      reader: the most bytes of private memory in the process that read them.
      restart_seconds: seconds from the command to the first training step at a second start.
      driver, worker: the most bytes of private memory in the driver, and in the largest of its workers.
      wait_share: the share of the small residual net's training time in which it waited for images.
      stored_bytes: bytes on the disk.
    """

    a_second: float
    reader: int
    restart_seconds: float
    driver: int
    worker: int
    wait_share: float
    stored_bytes: int


READ = """
import json, sys, threading, time
from pathlib import Path
from benchmarks.photographs import private_bytes
from sweep.datasets.load import load
from sweep.storage.sweep_file import DataOptions
most, over = 0, threading.Event()
def watch():
    global most
    while not over.wait(0.05):
        most = max(most, private_bytes())
watcher = threading.Thread(target=watch)
watcher.start()
started = time.monotonic()
data = load(Path(sys.argv[1]), DataOptions(image_size=int(sys.argv[2])))
seconds = time.monotonic() - started
over.set()
watcher.join()
print(json.dumps([seconds, most, data.form, sum(len(split.ids) for split in data.splits.values())]))
"""

TRAIN = """
import json, sys
from pathlib import Path
from benchmarks.photographs import share_waited
print(json.dumps(share_waited(Path(sys.argv[1]), int(sys.argv[2]))))
"""


@contextmanager
def photographs(count: int = COUNT) -> Iterator[Path]:
    """Yields a folder with `count` generated photographs in class folders, which is removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="photographs-") as name:
        folder = Path(name) / "data"
        for label in range(CLASSES):
            for split in ("train", "validation"):
                (folder / split / f"class{label}").mkdir(parents=True)
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            blocks = [(folder, start, min(start + 500, count)) for start in range(0, count, 500)]
            list(pool.map(_write_photographs, blocks))
        time.sleep(2.5)  # the cache accepts no files that were changed a moment ago
        yield folder


def _write_photographs(block: tuple[Path, int, int]) -> None:
    folder, first, end = block
    cv2.setNumThreads(1)
    for number in range(first, end):
        rng = np.random.default_rng(number)
        label = number % CLASSES
        split = "validation" if rng.random() < VALID_SHARE else "train"
        data = cv2.imencode(".jpg", photograph(rng, label), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        (folder / split / f"class{label}" / f"{number:06}.jpg").write_bytes(data.tobytes())


def photograph(rng: np.random.Generator, label: int) -> np.ndarray:
    """Returns (HEIGHT, WIDTH, 3) uint8: soft shapes, edges and grain, in shades that depend a little on the class."""
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    coarse[..., label % 3] //= 1 + label // 3
    pixels = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        corners = rng.integers(0, (WIDTH, HEIGHT), (4, 2)).astype(np.int32)
        cv2.fillPoly(pixels, [corners], rng.integers(0, 256, 3).tolist(), cv2.LINE_AA)
    grain = rng.integers(0, 16, (HEIGHT // 2, WIDTH // 2, 3), dtype=np.uint8)
    return cv2.add(pixels, cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))


def private_bytes(pid: int | str = "self") -> int:
    """Returns the private memory of a process: what would become free if it ended, without files on the disk."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(kb) for kb in re.findall(r"(?:Private_Dirty|Swap): *(\d+) kB", text))


def measure(folder: Path, side: int) -> Measurements:
    """Reads the photographs at a size, trains on them in a sweep, continues it, and measures the wait for images."""
    with tempfile.TemporaryDirectory(prefix="photographs-cache-") as name:
        place = Path(name)
        seconds, reader, form, count = _in_process(READ, folder, side, place)
        assert form != "array"
        _, driver, worker = _sweep(folder, side, place, trials=2)
        restart_seconds, *memory = _sweep(folder, side, place, trials=4)
        wait_share = _in_process(TRAIN, folder, side, place)
        stored_bytes = sum(path.stat().st_size for path in (place / "sweep").iterdir())
    driver, worker = max(driver, memory[0]), max(worker, memory[1])
    return Measurements(count / seconds, reader, restart_seconds, driver, worker, wait_share, stored_bytes)


def _sweep(folder: Path, side: int, place: Path, trials: int) -> tuple[float, int, int]:
    """Runs or continues a sweep; returns the seconds to the first step, and the memory of the driver and of a worker.

    A worker opens an attempt's hung.txt when the net is built and the first batch is next.
    """
    words = ["--data", folder, "--sweep", place / "run", "--trials", trials, "--image-size", side, "--concurrency", 2]
    words += ["--max-epochs", 1, "--no-baselines", "--sampler", "random", "--pruner", "none"]
    words += [
        word for value in ("arch=cnn", "epochs=1", "width=0.5", "depth=2", "batch_size=64") for word in ("--fix", value)
    ]
    environment = os.environ | {"XDG_CACHE_HOME": str(place), "RAY_ADDRESS": "local"}
    old_paths = set(place.glob("run/trials/*/attempt-*/hung.txt")) | set(place.glob("run/trials/*"))
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "search.run", *map(str, words)], cwd=ROOT, env=environment)
    first, driver, worker = math.nan, 0, 0
    while process.poll() is None:
        if math.isnan(first):
            new_logs = (
                path for path in place.glob("run/trials/*/attempt-*/hung.txt") if path.parents[1] not in old_paths
            )
            first = time.monotonic() - started if any(new_logs) else first
        else:
            driver = max(driver, _private_or_none(process.pid))
            worker = max(worker, *map(_private_or_none, descendants(process.pid)), 0)
        time.sleep(0.05)
    assert process.returncode == 0, "the sweep failed"
    return first, driver, worker


def descendants(pid: int) -> list[int]:
    """Returns the ids of all processes below this one."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # the process has just ended
            parents.setdefault(int(path.read_text().rsplit(")", 1)[1].split()[1]), []).append(int(path.parent.name))
    pids, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        pids += children
        queue += children
    return pids


def _private_or_none(pid: int) -> int:
    with suppress(OSError):
        return private_bytes(pid)
    return 0


def _in_process(code: str, folder: Path, side: int, cache: Path) -> Any:
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    words = [sys.executable, "-c", code, str(folder), str(side)]
    process = subprocess.run(words, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(process.stdout)


def share_waited(folder: Path, side: int) -> float:
    """Returns the share of the training time that was spent waiting for images."""
    import torch

    from sweep.datasets.load import load
    from sweep.datasets.pixels.rows import take_rows
    from sweep.storage.sweep_file import DataOptions
    from sweep.trainable.allocator import keep_freed_memory
    from sweep.trainable.config import TrialConfig
    from sweep.trainable.images import TrainingImages
    from sweep.trainable.loop import train
    from sweep.trainable.state import new_state

    torch.set_num_threads(1)
    keep_freed_memory()
    data = load(folder, DataOptions(image_size=side)).for_training()
    rows = np.random.default_rng(0).permutation(len(data.train.images))[: STEPS * BATCH]
    valid_rows = np.arange(BATCH)
    assert data.train.labels is not None
    assert data.valid.labels is not None
    train_split = replace(data.train, images=take_rows(data.train.images, rows), labels=data.train.labels[rows])
    valid_split = replace(
        data.valid, images=take_rows(data.valid.images, valid_rows), labels=data.valid.labels[valid_rows]
    )
    data = replace(data, train=train_split, valid=valid_split)
    config = TrialConfig(arch="small_resnet", width=1.0, depth=1, batch_size=BATCH, epochs=1, horizontal_flip=0.5)
    wait_seconds, load_batch = 0.0, TrainingImages.load

    def load_and_measure(images: TrainingImages) -> None:
        nonlocal wait_seconds
        started = time.monotonic()
        load_batch(images)
        wait_seconds += time.monotonic() - started

    TrainingImages.load = load_and_measure  # type: ignore[method-assign, assignment]
    state = new_state(config, data)
    started = time.monotonic()
    list(train(config, data, state))
    return wait_seconds / (time.monotonic() - started)
