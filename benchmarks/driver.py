"""What the driver needs for a trial of one step, its durable records included, with many trials behind it."""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.trials import fake_train, in_memory, open_bridge
from trainable.attempt import Attempt
from trainable.config import TrialConfig

TRIALS, WINDOW = 2000, 100


def six_parameters(trial: Any) -> TrialConfig:
    return TrialConfig(
        arch="mlp",
        width=0.1,
        lr=trial.suggest_float("lr", 1e-3, 0.4, log=True),
        weight_decay=trial.suggest_float("weight_decay", 0.0, 2e-3),
        label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.2),
        batch_size=trial.suggest_int("batch_size", 50, 400, log=True),
        optimizer=trial.suggest_categorical("optimizer", ["sgd", "adam"]),
        horizontal_flip=trial.suggest_float("p_flip", 0.0, 0.7),
        epochs=1,
    )


def seconds_a_trial(sampler: str) -> tuple[float, float]:
    """Median of the first 100 trials and of the last 100 of 2,000, on a disk: drawn, recorded, ordered, ended."""
    data, seconds = in_memory(), []
    with tempfile.TemporaryDirectory() as folder:
        bridge, _ = open_bridge(Path(folder) / "sweep", TRIALS, six_parameters, sampler=sampler)
        while not bridge.finished:
            started = time.perf_counter()
            order = bridge.next_order()
            ordered = time.perf_counter()
            assert order is not None
            report = Attempt(order, data, train=fake_train).next_report()  # the worker's part
            reported = time.perf_counter()
            bridge.report(order.number, report)
            seconds.append(ordered - started + time.perf_counter() - reported)
    return median(seconds[:WINDOW]), median(seconds[-WINDOW:])
