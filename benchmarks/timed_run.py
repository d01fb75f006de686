"""The same as `python -m search.run`, with what its workers spend their time on written to a log.

    python -m benchmarks.timed_run LOG --data PATH ...

A line an event, `{"pid", "event", "at", ...}`; `at` is seconds on the clock of the machine (CLOCK_MONOTONIC):
`step`, the first batch of a trial is about to be augmented; `epoch`, an epoch has ended, with its `seconds` and those
of its parts `augment` and `evaluate`; `report`, a report has been made, with its `seconds`, those of its epochs among
them. These seconds are the thread's on a processor: those in which others had it, or the disk was waited for, do not
count.
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
    """Adds up what the parts of an epoch take, by wrapping the functions of the loop that do them."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.seconds = {"augment": 0.0, "evaluate": 0.0}
        self.is_first_step = False
        step.Step._batch = self._around("augment", step.Step._batch)  # type: ignore[method-assign]
        for name in ("predict_logits", "measure"):
            setattr(loop, name, self._around("evaluate", getattr(loop, name)))

    def write(self, event: str, **values: Any) -> None:
        with open(self.log, "a") as file:
            file.write(json.dumps({"pid": os.getpid(), "event": event, "at": time.monotonic(), **values}) + "\n")

    def _around(self, part: str, function: Any) -> Any:
        def timed(*arguments: Any) -> Any:
            if part == "augment" and self.is_first_step:
                self.is_first_step = False
                self.write("step")
            started = time.thread_time()
            result = function(*arguments)
            self.seconds[part] += time.thread_time() - started
            return result

        return timed


def timed(log: Path) -> type[RayTrial]:
    clocks: list[Clock] = []  # one a worker process, made in it

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

    class Timed(RayTrial):
        training = staticmethod(train)

        def step(self) -> dict[str, Any]:
            started = time.thread_time()
            report = super().step()
            with open(log, "a") as file:
                values = {"pid": os.getpid(), "event": "report", "at": time.monotonic()}
                file.write(json.dumps(values | {"seconds": time.thread_time() - started}) + "\n")
            return report

    return Timed


if __name__ == "__main__":
    prepare()
    executor.execute = partial(executor.execute, trainable=timed(Path(sys.argv.pop(1)).resolve()))
    program(main)
