"""Runs `python -m search.run` with workers that sleep two seconds per trial instead of training.

    python -m benchmarks.sleeping_run --data PATH ...

It stands in for a GPU, because it leaves the processors to the driver and to Ray.
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

SECONDS = 2.0  # per trial


class Sleeping(RayTrial):
    """A worker that sleeps instead of training."""

    @staticmethod
    def training(config, data, state):  # type: ignore[no-untyped-def]  # as `trainable.loop.train`
        """Yields the metrics of each epoch after sleeping; replaces `trainable.loop.train`."""
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
