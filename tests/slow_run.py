"""The same as `python -m search.run`, with epochs of a second until a file is there.

    python -m tests.slow_run FILE --data PATH ...

So a test finds its trials running, however slow the machine is, and need not wait for their end.
"""

import sys
import time
from functools import partial
from pathlib import Path

from sweep.search.ray import executor
from sweep.search.ray.connection import prepare
from sweep.search.run import main
from sweep.storage.command_line import program
from sweep.trainable.worker.ray_trial import RayTrial


def slow(file: Path) -> type[RayTrial]:
    def train(config, data, state):
        from sweep.trainable import loop  # torch, which the driver has time for while Ray starts

        for metrics in loop.train(config, data, state):
            if not file.exists():
                time.sleep(1.0)
            yield metrics

    class Slow(RayTrial):
        training = staticmethod(train)

    return Slow


if __name__ == "__main__":
    prepare()
    executor.execute = partial(executor.execute, trainable=slow(Path(sys.argv.pop(1)).resolve()))
    program(main)
