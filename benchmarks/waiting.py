"""Measures whether a net waits for its images, by comparing it with the same net on one ready batch.

    python -m benchmarks.waiting ready FOLDER        # what `benchmarks.loader.measured` runs; JSON

It also measures where the time goes. All of this runs on one core, which the reading threads share with the net. The
weights are random, which takes as long as with any others.
"""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional as F

from benchmarks.loader import AUGMENTED, BATCH, LIMITS, ROUNDS, as_worker_of, data_of, measured, pace_of
from benchmarks.photographs import photographs
from sweep.datasets.pixels import form, stored
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.pixels.rows import take_rows
from sweep.trainable import loop, step
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import frozen
from sweep.trainable.precision import forward
from sweep.trainable.state import new_state

COUNT = 100  # photographs for the measurement at 224 px
LITE0 = TrialConfig(
    arch="timm/tf_efficientnet_lite0", pretrained=False, batch_size=BATCH, epochs=ROUNDS + 1, optimizer="adamw"
)
NETS = {  # by name: the config, the side in px, and the number of images in an epoch
    "frozen": (replace(LITE0, input_size=64, frozen_stages=99), 64, 8 * BATCH),
    "tuned": (replace(LITE0, input_size=128), 128, 2 * BATCH),
    "at 224 px": (replace(LITE0, input_size=224), 224, BATCH),
}


def beside_ready_batch(folder: Path) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Returns, for nets and forms of data, the paces of epochs relative to those of the same net on one ready batch."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name in ("frozen", "tuned"):
        config, side, count = NETS[name]
        ready = _ready(config, _few(data_of(folder, side, form.MAPPED), count))
        runs = {kept: _epochs(config, _few(data_of(folder, side, kept), count)) for kept in LIMITS}
        for run in (ready, *runs.values()):
            run()
        found[name] = {kept: [] for kept in LIMITS}
        for _ in range(ROUNDS):
            on_ready = pace_of(ready)
            for kept, run in runs.items():
                found[name][kept].append(asdict(pace_of(run).relative_to(on_ready)))
    return found


def _epochs(config: TrialConfig, data: Dataset) -> Callable[[], int]:
    config = replace(config, **AUGMENTED)  # has crops, so that the outputs of frozen stages are not kept
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
    """Returns, for each form of data, how long each part of the work takes while lite0 is fine-tuned at 224 px.

    The unit is milliseconds of one core per image.
    """
    config, side, count = NETS["at 224 px"]
    found = {}
    for kept in LIMITS:
        epoch, spent = _epochs(config, _few(data_of(folder, side, kept), count)), defaultdict[str, float](float)
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
        spent.setdefault("decode", 0.0)
        del spent["validation"]  # it has only 2 images here; its share depends on the size of the validation split
        found[kept] = {what: 1000 * seconds / ROUNDS / count for what, seconds in spent.items()}
    return found


PLACES = [
    (stored.StoredPixels, "read_into", "read"),
    (stored, "decode_into", "decode"),
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


def _few(data: Dataset, count: int) -> Dataset:
    """Returns data of `count` training images, spread over all, and of two validation images."""

    def spread(split: Any, count: int) -> Any:
        rows = torch.arange(count).mul(len(split.images)).div(count, rounding_mode="floor").numpy()
        return replace(split, images=take_rows(split.images, rows), labels=split.labels[rows])

    return replace(data, train=spread(data.train, count), valid=spread(data.valid, 2))


def section() -> Iterator[str]:
    """Yields the lines of the section that says where the time goes."""
    with photographs(COUNT) as folder:
        shares = measured("waiting", "shares", folder)
    yield "## Where the time goes at 224 px"
    yield ""
    yield (
        f"EfficientNet-Lite0 fine-tuned, all stages, with crops and flips, in batches of {BATCH} on one core: "
        "milliseconds of the core for an image."
    )
    yield ""
    yield f"| | {' | '.join(f'from the {kept} store' for kept in shares)} |"
    yield "| --- | ---: | ---: |"
    totals = {kept: sum(each.values()) for kept, each in shares.items()}
    for what in dict.fromkeys(what for each in shares.values() for what in each):
        cells = [f"{each[what]:.2f} ({each[what] / totals[kept]:.1%})" for kept, each in shares.items()]
        yield f"| {what} | {' | '.join(cells)} |"


PARTS: dict[str, Callable[[Path], Any]] = {"ready": beside_ready_batch, "shares": shares_at_224_px}

if __name__ == "__main__":
    as_worker_of(1)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    print(json.dumps(PARTS[sys.argv[1]](Path(sys.argv[2]))))
