"""The same as `python -m search.run`, with a line in a log for each epoch that a worker trains.

    python -m tests.counted_run LOG --data PATH ...

A line: the seed of the trial's config, the epoch, its seconds, the worker's process, the kind of its device.
"""

import os
import sys
from functools import partial
from pathlib import Path

from sweep.search.ray import executor
from sweep.search.ray.connection import prepare
from sweep.search.run import main
from sweep.storage.command_line import program
from sweep.trainable import loop
from sweep.trainable.worker.ray_trial import RayTrial


def counted(log: Path) -> type[RayTrial]:
    def train(config, data, state):
        device = next(state.model.parameters()).device.type
        for metrics in loop.train(config, data, state):
            with open(log, "a") as file:
                file.write(f"{config.seed} {metrics.epoch} {metrics.seconds} {os.getpid()} {device}\n")
            yield metrics

    class Counted(RayTrial):
        training = staticmethod(train)

    return Counted


if __name__ == "__main__":
    prepare()
    executor.execute = partial(executor.execute, trainable=counted(Path(sys.argv.pop(1)).resolve()))
    program(main)
