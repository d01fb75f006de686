"""What the driver needs for a trial of one step with many trials behind it: Ray Tune, screen and durable records."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.cluster import connected, prepare
from search.process import chatter_to
from search.screen import Screen
from tests.trials import fake_train, in_memory, open_bridge
from trainable.config import TrialConfig

TRIALS, WINDOW, WORKERS = 2000, 100, 2


@dataclass(frozen=True)
class Pace:
    """Means over a hundred trials, seconds a trial.

    Attributes:
      early, late: from end to end, of the second hundred and of the last one: all that the driver does, for two
        workers whose training is nothing are never waited for longer than they overlap with it.
      processor: of the driver's process, late.
    """

    early: float
    late: float
    processor: float


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


def pace(sampler: str) -> Pace:
    """Of 2,000 trials on a local Ray, their training faked."""
    prepare()
    from search.executor import execute
    from trainable.ray_trial import RayTrial

    class Fake(RayTrial):
        training = staticmethod(fake_train)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bridge, _ = open_bridge(folder / "sweep", TRIALS, six_parameters, sampler=sampler)
        ends: list[tuple[float, float]] = []

        class Timed(Screen):
            def ended(self, trial: Any) -> None:
                super().ended(trial)
                ends.append((time.monotonic(), time.process_time()))

        with open(folder / "screen", "w") as out, chatter_to(folder / "log.txt"), connected(None):
            bridge.watcher = Timed(out, TRIALS, bridge.plan.metric, [], {})
            with bridge.watcher:
                execute(bridge, in_memory(), {"cpu": 1.0}, WORKERS, Fake)
    assert len(ends) == TRIALS
    early, _ = _means(ends[WINDOW - 1 : 2 * WINDOW])
    return Pace(early, *_means(ends[-WINDOW - 1 :]))


def _means(ends: list[tuple[float, float]]) -> tuple[float, float]:
    (wall, processor), (last_wall, last_processor) = ends[0], ends[-1]
    return (last_wall - wall) / (len(ends) - 1), (last_processor - processor) / (len(ends) - 1)
