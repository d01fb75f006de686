"""The same as `python -m search.run`, with workers that sleep two seconds a trial instead of training.

    python -m benchmarks.sleeping_run --data PATH ...

A stand-in for a GPU, which leaves the processors to the driver and to Ray.
"""

import time
from functools import partial

import numpy as np

from sweep.search.ray import executor
from sweep.search.ray.connection import prepare
from sweep.search.run import main
from sweep.storage.command_line import program
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.worker.ray_trial import RayTrial

SECONDS = 2.0  # a trial


class Sleeping(RayTrial):
    @staticmethod
    def training(config, data, state):  # type: ignore[no-untyped-def]  # of `trainable.loop.train`
        while state.epochs_done < config.epochs:
            time.sleep(SECONDS / config.epochs)
            epoch = state.epochs_done + 1
            value = 1 - 1 / (1 + epoch)
            metrics = EpochMetrics(epoch, 1 - value, 1 - value, value, value, config.lr, 0.0, config.batch_size)
            state.add_epoch(metrics, np.zeros((len(data.valid.images), len(data.classes)), np.float32))
            yield metrics


if __name__ == "__main__":
    prepare()
    executor.execute = partial(executor.execute, trainable=Sleeping)
    program(main)
