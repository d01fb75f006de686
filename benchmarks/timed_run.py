"""Runs `python -m search.run` and logs how its workers spend their time.

    python -m benchmarks.timed_run LOG --data PATH ...

The log has one line per event, `{"pid", "event", "at", ...}`, where `at` is in seconds on the clock of the machine
(CLOCK_MONOTONIC). The events are `step`: the first batch of a trial is about to be augmented; `epoch`: an epoch has
ended, with its `seconds` and those of its parts `augment` and `evaluate`; and `report`: a report has been made, with
its `seconds`, including those of its epochs. These seconds are processor time of the thread, so waiting for other
processes or for the disk does not count.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from sweep.search.ray import executor
from sweep.search.ray.connection import prepare
from sweep.search.run import main
from sweep.storage.command_line import program
from sweep.trainable import loop, step
from sweep.trainable.worker.ray_trial import RayTrial


class Clock:
    """Measures the parts of an epoch by wrapping the functions of the training loop that do them."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.seconds = {"augment": 0.0, "evaluate": 0.0}
        self.is_first_step = False
        step.Step._batch = self._wrap("augment", step.Step._batch)  # type: ignore[method-assign]
        for name in ("predict_logits", "measure"):
            setattr(loop, name, self._wrap("evaluate", getattr(loop, name)))

    def write(self, event: str, **values: Any) -> None:
        """Adds an event to the log."""
        with open(self.log, "a") as file:
            file.write(json.dumps({"pid": os.getpid(), "event": event, "at": time.monotonic(), **values}) + "\n")

    def _wrap(self, part: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            if part == "augment" and self.is_first_step:
                self.is_first_step = False
                self.write("step")
            started = time.thread_time()
            result = function(*arguments)
            self.seconds[part] += time.thread_time() - started
            return result

        return call


def timed(log: Path) -> type[RayTrial]:
    """Returns a worker class that logs the events of its trials."""
    clocks: list[Clock] = []  # each worker process makes one clock

    def train(config: Any, data: Any, state: Any) -> Any:
        if not clocks:
            clocks.append(Clock(log))
        clock = clocks[0]
        clock.is_first_step = True
        epochs = loop.train(config, data, state)
        while True:
            clock.seconds = dict.fromkeys(clock.seconds, 0.0)
            started = time.thread_time()
            try:
                metrics = next(epochs)
            except StopIteration:
                return
            clock.write("epoch", seconds=time.thread_time() - started, **clock.seconds)
            yield metrics

    class TimedTrial(RayTrial):
        training = staticmethod(train)

        def step(self) -> dict[str, Any]:
            started = time.thread_time()
            report = super().step()
            with open(log, "a") as file:
                values = {"pid": os.getpid(), "event": "report", "at": time.monotonic()}
                file.write(json.dumps(values | {"seconds": time.thread_time() - started}) + "\n")
            return report

    return TimedTrial


if __name__ == "__main__":
    prepare()
    executor.execute = partial(executor.execute, trainable=timed(Path(sys.argv.pop(1)).resolve()))
    program(main)
