"""A node whose memory runs low: Ray ends a worker there, and the search goes on."""

import time
from pathlib import Path

import numpy as np
import pytest

from sweep.analysis.record import Record
from sweep.search.ray.connection import connected, prepare
from sweep.search.ray.executor import execute
from sweep.trainable.config import TrialConfig
from sweep.trainable.worker.ray_trial import RayTrial
from tests.trials import fake_train, in_memory, open_bridge

pytestmark = pytest.mark.ray
GIB = 1 << 30
TAKEN = 3 * GIB  # by the worker, above what is taken already
LEFT = 3 * GIB // 2  # of that, until Ray ends a worker: more than other tests take meanwhile


def memory():
    """Returns the bytes of memory that this machine has, and how many of them can be taken."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    kib = {words[0]: int(words[1]) for words in lines}
    return 1024 * kib["MemTotal:"], 1024 * kib["MemAvailable:"]


def space(trial):
    return TrialConfig(arch="mlp", width=0.1, epochs=3, lr=trial.suggest_float("lr", 0.01, 0.1), batch_size=8)


@pytest.mark.skipif(memory()[1] < TAKEN + GIB, reason="this machine has too little memory to take that much of it")
def test_a_worker_that_ray_ends_for_lack_of_memory_costs_one_attempt(tmp_path, monkeypatch):
    (total, free), took = memory(), tmp_path / "took"
    threshold = (total - free + LEFT) / total
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{threshold:.4f}")
    prepare()

    class Greedy(RayTrial):
        @staticmethod
        def training(config, data, state):
            for metrics in fake_train(config, data, state):
                if metrics.epoch == 2 and not took.exists():
                    took.touch()
                    taken = np.ones(TAKEN, np.uint8)
                    while taken[-1]:  # until Ray sees it
                        time.sleep(0.1)
                yield metrics

    with connected(None):
        bridge, watcher = open_bridge(tmp_path / "sweep", 2, function=space, pruner="none")
        execute(bridge, in_memory(), {"cpu": 1}, lambda: 1, Greedy)

    record = Record(tmp_path / "sweep")
    assert [trial.state for trial in record.trials] == ["COMPLETE"] * 2
    assert [trial.attempts for trial in record.trials] == [2, 1]
    assert any("out of memory in attempt 1, tried once more alone" in message for message in watcher.messages)
