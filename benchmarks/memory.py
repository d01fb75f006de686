"""Measures the private memory that a worker process needs for a large data set, compared with a small one."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.search.ray.connection import connected, prepare
from sweep.search.runtime.process import chatter_to
from sweep.trainable.config import TrialConfig
from tests.trials import in_memory, open_bridge

SMALL_BYTES, LARGE_BYTES, SIDE = 10**6, 10**9, 32


def one_epoch(trial: Any) -> TrialConfig:
    """A search space whose trials train a small net for one epoch."""
    lr = trial.suggest_float("lr", 1e-4, 1e-3)
    return TrialConfig(arch="mlp", width=0.1, lr=lr, batch_size=100, epochs=1, horizontal_flip=0.5, rotate=0.5)


def added_share() -> float:
    """Returns the memory that the worker adds for the larger data set, as a share of the additional bytes."""
    small, large = (_private_bytes(size) for size in (SMALL_BYTES, LARGE_BYTES))
    return (large - small) / (LARGE_BYTES - SMALL_BYTES)


def _private_bytes(data_bytes: int) -> int:
    """Returns the private bytes of a worker at the end of an epoch over so much data, without shared memory."""
    prepare()
    from sweep.search.ray.executor import execute
    from sweep.trainable import loop
    from sweep.trainable.worker.ray_trial import RayTrial

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "bytes"

        def train(config: Any, data: Any, state: Any) -> Iterator[Any]:
            for metrics in loop.train(config, data, state):
                sizes_kb = re.findall(r"Private_\w+: *(\d+) kB", Path("/proc/self/smaps_rollup").read_text())
                log.write_text(str(1024 * sum(map(int, sizes_kb))))
                yield metrics

        class MeasuredTrial(RayTrial):
            training = staticmethod(train)

        bridge, _ = open_bridge(Path(folder) / "sweep", 1, one_epoch, sampler="random", pruner="none")
        with chatter_to(Path(folder) / "log.txt"), connected(None):
            execute(bridge, _data(data_bytes), {"cpu": 1.0}, lambda: 1, MeasuredTrial)
        return int(log.read_text())


def _data(data_bytes: int) -> Dataset:
    valid = in_memory(valid=100, side=SIDE)
    count = data_bytes // (3 * SIDE * SIDE)
    images = np.zeros((count, 3, SIDE, SIDE), np.uint8)
    images[:, :, 0] = np.random.default_rng(0).integers(0, 256, (count, 3, SIDE), dtype=np.uint8)
    train = Split(tuple(map(str, range(count))), images, np.arange(count, dtype=np.int64) % 3)
    return Dataset(train, valid.valid, None, valid.classes, None, "f" * 64, ())
