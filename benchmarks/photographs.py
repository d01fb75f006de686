"""A hundred thousand photographs: how fast they are listed, checked, hashed and stored, and in how much memory.

They are generated for the measurement, 500x375 px as JPEG of about 40 KB, and removed after it. What is stored of them
lies in a cache folder of its own.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
COUNT = int(os.environ.get("SWEEP_PHOTOGRAPHS", "100_000"))
WIDTH, HEIGHT, CLASSES, QUALITY = 500, 375, 10, 88
TRAINED, VALID_SHARE = 256, 0.02  # batch size; of the photographs in the validation split
STEPS = 40


@dataclass(frozen=True)
class First:
    """The first start, which reads every photograph, and the second one, which reads none.

    Attributes:
      a_second: photographs listed, checked, hashed and stored.
      private: bytes of memory that the process had of its own at most.
      again: seconds until the data set was there at the second start.
      waited: share of a step at 64 px with the small residual net, in which it waited for images.
      trainer: bytes of memory of its own that a process had while it trained.
    """

    a_second: float
    private: int
    again: float
    waited: float
    trainer: int


READ = """
import json, sys, threading, time
from pathlib import Path
from benchmarks.photographs import private_bytes
from datasets.load import load
from storage.sweep_file import DataOptions
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
    """Yields a folder with so many generated photographs in class folders, which is removed at the block's end."""
    with tempfile.TemporaryDirectory(prefix="photographs-") as name:
        folder = Path(name) / "data"
        for label in range(CLASSES):
            for split in ("train", "validation"):
                (folder / split / f"class{label}").mkdir(parents=True)
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            blocks = [(folder, start, min(start + 500, count)) for start in range(0, count, 500)]
            list(pool.map(_write_photographs, blocks))
        time.sleep(2.5)  # until their times of change have settled
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
    """Returns (HEIGHT, WIDTH, 3) uint8: soft shapes, edges, grain, in shades that tell a little of the class."""
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    coarse[..., label % 3] //= 1 + label // 3
    pixels = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        corners = rng.integers(0, (WIDTH, HEIGHT), (4, 2)).astype(np.int32)
        cv2.fillPoly(pixels, [corners], rng.integers(0, 256, 3).tolist(), cv2.LINE_AA)
    grain = rng.integers(0, 16, (HEIGHT // 2, WIDTH // 2, 3), dtype=np.uint8)
    return cv2.add(pixels, cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))


def private_bytes(pid: int | str = "self") -> int:
    """Returns the memory that a process has of its own: what would be free if it ended, files on the disk left out."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(kb) for kb in re.findall(r"(?:Private_Dirty|Swap): *(\d+) kB", text))


def first_and_second(folder: Path, side: int) -> First:
    """Reads the photographs at a size twice, in processes of their own, and trains on them."""
    with tempfile.TemporaryDirectory(prefix="photographs-cache-") as cache:
        seconds, private, form, count = _in_process(READ, folder, side, cache)
        again, *_ = _in_process(READ, folder, side, cache)
        waited, trainer = _in_process(TRAIN, folder, side, cache)
    assert form != "array"
    return First(count / seconds, private, again, waited, trainer)


def _in_process(code: str, folder: Path, side: int, cache: str) -> list:
    environment = os.environ | {"XDG_CACHE_HOME": cache}
    words = [sys.executable, "-c", code, str(folder), str(side)]
    done = subprocess.run(words, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: list = json.loads(done.stdout)
    return found


def share_waited(folder: Path, side: int) -> tuple[float, int]:
    """Returns the share of training steps spent waiting for images, and the memory that the process had of its own."""
    import torch

    from datasets.load import load
    from storage.sweep_file import DataOptions
    from trainable.allocator import keep_freed_memory
    from trainable.config import TrialConfig
    from trainable.images import TrainingImages
    from trainable.loop import train
    from trainable.state import new_state

    torch.set_num_threads(1)
    keep_freed_memory()
    data = load(folder, DataOptions(image_size=side)).for_training()
    rows = np.random.default_rng(0).permutation(len(data.train.images))[: STEPS * 64]
    few = np.arange(64)
    from dataclasses import replace

    from datasets.pixels.rows import taken

    assert data.train.labels is not None
    assert data.valid.labels is not None
    some = replace(data.train, images=taken(data.train.images, rows), labels=data.train.labels[rows])
    valid = replace(data.valid, images=taken(data.valid.images, few), labels=data.valid.labels[few])
    data = replace(data, train=some, valid=valid)
    config = TrialConfig(arch="small_resnet", width=1.0, depth=1, batch_size=64, epochs=1, horizontal_flip=0.5)
    waited, load_batch = 0.0, TrainingImages.load

    def load_and_measure(images: TrainingImages) -> None:
        nonlocal waited
        started = time.monotonic()
        load_batch(images)
        waited += time.monotonic() - started

    TrainingImages.load = load_and_measure  # type: ignore[method-assign, assignment]
    state = new_state(config, data)
    started = time.monotonic()
    list(train(config, data, state))
    return waited / (time.monotonic() - started), private_bytes()
