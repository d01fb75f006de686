"""Measures the driver's work per trial when many trials have ended: Ray Tune, the screen and durable records."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweep.search.ray.connection import connected, prepare
from sweep.search.runtime.process import chatter_to
from sweep.search.sinks import Begun
from sweep.search.sinks.screen import Screen
from sweep.trainable.config import TrialConfig
from tests.trials import fake_train, in_memory, open_bridge

TRIALS, WINDOW, WORKERS = 2000, 100, 2


@dataclass(frozen=True)
class Pace:
    """Seconds per trial, each the mean over a hundred trials.

    Attributes:
      early, late: from the end of a trial to the end of the next, over the second hundred and the last hundred trials.
        All of it is work of the driver, because the two workers train nothing and run beside it.
      processor: processor time of the driver's process, over the last hundred.
      bridge: time within this project's own part, including records on the disk, over the last hundred; the rest is Ray
        Tune's and the screen's.
    """

    early: float
    late: float
    processor: float
    bridge: float


def six_parameters(trial: Any) -> TrialConfig:
    """A search space with six parameters."""
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


def pace(sampler: str) -> Pace:
    """Runs 2,000 trials with fake training on a local Ray, and returns the driver's time for them."""
    prepare()
    from sweep.search.ray.executor import execute
    from sweep.trainable.worker.ray_trial import RayTrial

    class FakeTrial(RayTrial):
        training = staticmethod(fake_train)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bridge, _ = open_bridge(folder / "sweep", TRIALS, six_parameters, sampler=sampler)
        ends: list[np.ndarray] = []
        in_bridge = 0.0

        def add_time(function: Any) -> Any:
            def call(*arguments: Any) -> Any:
                nonlocal in_bridge
                started = time.monotonic()
                try:
                    return function(*arguments)
                finally:
                    in_bridge += time.monotonic() - started

            return call

        class TimedScreen(Screen):
            def ended(self, trial: Any) -> None:
                super().ended(trial)
                ends.append(np.array([time.monotonic(), time.process_time(), in_bridge]))

        with open(folder / "screen", "w") as out, chatter_to(folder / "log.txt"), connected(None):
            bridge.watcher = TimedScreen(Begun(folder, TRIALS, bridge.plan.metric, [], {}, out))
            for method in ("next_order", "report"):
                setattr(bridge, method, add_time(getattr(bridge, method)))
            with bridge.watcher.open():
                execute(bridge, in_memory(), {"cpu": 1.0}, lambda: WORKERS, FakeTrial)
    assert len(ends) == TRIALS
    early = (ends[2 * WINDOW - 1] - ends[WINDOW - 1]) / WINDOW
    late, processor, bridge_seconds = (ends[-1] - ends[-WINDOW - 1]) / WINDOW
    return Pace(early[0], late, processor, bridge_seconds)
