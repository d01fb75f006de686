"""Measures whether a net waits for its images, by comparing it with the same net on one ready batch.

    python -m benchmarks.waiting ready FOLDER        # run by `benchmarks.loader.measured`; prints JSON

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
    paces: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name in ("frozen", "tuned"):
        config, side, count = NETS[name]
        ready = _ready_steps(config, _spread_sample(data_of(folder, side, form.MAPPED), count))
        runs = {
            form_name: _epochs(config, _spread_sample(data_of(folder, side, form_name), count)) for form_name in LIMITS
        }
        for run in (ready, *runs.values()):
            run()
        paces[name] = {form_name: [] for form_name in LIMITS}
        for _ in range(ROUNDS):
            ready_pace = pace_of(ready)
            for form_name, run in runs.items():
                paces[name][form_name].append(asdict(pace_of(run).relative_to(ready_pace)))
    return paces


def _epochs(config: TrialConfig, data: Dataset) -> Callable[[], int]:
    config = replace(config, **AUGMENTED)  # with crops, so that the outputs of frozen stages are not kept
    run = loop.train(config, data, new_state(config, data))

    def epoch() -> int:
        next(run)
        return len(data.train.images)

    return epoch


def _ready_steps(config: TrialConfig, data: Dataset) -> Callable[[], int]:
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
    shares = {}
    for form_name in LIMITS:
        epoch = _epochs(config, _spread_sample(data_of(folder, side, form_name), count))
        part_seconds = defaultdict[str, float](float)
        with ExitStack() as stack:
            for owner, name, part in PLACES:
                stack.enter_context(patch.object(owner, name, _count_time(getattr(owner, name), part, part_seconds)))
            epoch()
            part_seconds.clear()
            started = time.process_time()
            for _ in range(ROUNDS):
                epoch()
            total = time.process_time() - started
        part_seconds["read"] -= part_seconds["decode"]
        part_seconds["all else"] = total - sum(part_seconds.values())
        part_seconds.setdefault("decode", 0.0)
        del part_seconds["validation"]  # of only 2 images; its share depends on the size of the validation split
        shares[form_name] = {part: 1000 * seconds / ROUNDS / count for part, seconds in part_seconds.items()}
    return shares


PLACES = [
    (stored.StoredPixels, "read_into", "read"),
    (stored, "decode_into", "decode"),
    (step.Step, "_batch", "crop and flip"),
    (step.Step, "_backpropagated", "forward and backward"),
    (step.Step, "_descend", "optimizer"),
    (loop, "predict_logits", "validation"),
]


def _count_time(function: Any, part: str, part_seconds: dict[str, float]) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*arguments, **options)
        finally:
            part_seconds[part] += time.thread_time() - started

    return call


def _spread_sample(data: Dataset, count: int) -> Dataset:
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
    yield f"| | {' | '.join(f'from the {form_name} store' for form_name in shares)} |"
    yield "| --- | ---: | ---: |"
    totals = {form_name: sum(each.values()) for form_name, each in shares.items()}
    for part in dict.fromkeys(part for each in shares.values() for part in each):
        cells = [f"{each[part]:.2f} ({each[part] / totals[form_name]:.1%})" for form_name, each in shares.items()]
        yield f"| {part} | {' | '.join(cells)} |"


PARTS: dict[str, Callable[[Path], Any]] = {"ready": beside_ready_batch, "shares": shares_at_224_px}

if __name__ == "__main__":
    as_worker_of(1)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    print(json.dumps(PARTS[sys.argv[1]](Path(sys.argv[2]))))
