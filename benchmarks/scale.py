"""Measures how many workers one driver can serve: four nodes compared with one, and 256 simulated workers."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.driver import six_parameters
from sweep.analysis.record import Record
from sweep.datasets.demo import write_demo
from sweep.trainable.config import TrialConfig
from sweep.trainable.worker.attempt import Attempt
from tests.clusters import cluster
from tests.trials import fake_train, in_memory, open_bridge

NODES, TRIALS_A_NODE, EPOCHS = 4, 12, 2
WORKERS, TRIALS = 256, 1024
OPTIONS = ("--no-baselines", "--pruner", "none", "--sampler", "random", "--fix", "arch=mlp")


def pace_of_nodes() -> tuple[float, float]:
    """Returns the trials per second of a cluster with one node of one CPU, and with four such nodes.

    The workers sleep instead of training. The time counts from the moment at which each node has ended a trial until a
    node has none left, so that the start of the workers is left out.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "demo"
        data.mkdir()
        write_demo(data)
        with cluster(folder / "home") as ray_cluster:
            ray_cluster.add()
            one = _pace(ray_cluster, data, folder / "one", 1)
            for _ in range(NODES - 1):
                ray_cluster.add()
            return one, _pace(ray_cluster, data, folder / "four", NODES)


def _pace(ray_cluster: Any, data: Path, sweep: Path, nodes: int) -> float:
    epochs = ("--max-epochs", EPOCHS, "--fix", f"epochs={EPOCHS}")
    options = ("--data", data, "--sweep", sweep, "--trials", nodes * TRIALS_A_NODE, *OPTIONS, *epochs)
    driver = ray_cluster.drive("benchmarks.sleeping_run", *options)
    output, _ = driver.communicate()
    assert driver.returncode == 0, output
    ends = sorted(trial.ended_at for trial in Record(sweep).trials if trial.ended_at)
    window = ends[nodes - 1 : len(ends) - nodes + 1]
    return (len(window) - 1) / (window[-1] - window[0]).total_seconds()


@dataclass(frozen=True)
class Load:
    """The work that the results of 256 workers cause in their driver, without Ray.

    Attributes:
      a_second: the most results that can be handled per second, including the orders that follow.
      processor: the share of the driver's time on a processor; in the rest it waits for the disk.
      decision, slow_decision: seconds from a result to the decision on its trial: the median, and the 99th percentile.
      order: the median of the seconds to draw and record the next trial.
      parts: the shares of the time in decisions on running trials, ends of trials, and orders.
    """

    a_second: float
    processor: float
    decision: float
    slow_decision: float
    order: float
    parts: dict[str, float]


def deep(trial: Any) -> TrialConfig:
    """A search space of six parameters whose trials have 27 epochs."""
    return replace(six_parameters(trial), epochs=27)


def load_of_workers(sampler: str) -> Load:
    """Runs a sweep of 1,024 trials in this process and returns the driver's load.

    Each trial has a result at each of its two rungs and at its end; workers wait for nothing.
    """
    data = in_memory()
    seconds: dict[str, list[float]] = {"decisions": [], "ends": [], "orders": []}
    processor = 0.0

    def measure_call(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
        nonlocal processor
        started, on_processor = time.monotonic(), time.process_time()
        result = function(*arguments)
        processor += time.process_time() - on_processor
        return result, time.monotonic() - started

    with tempfile.TemporaryDirectory() as name:
        bridge, _ = open_bridge(Path(name) / "sweep", TRIALS, deep, max_epochs=27, sampler=sampler)
        bridge.concurrency = WORKERS
        attempts: dict[int, Attempt] = {}
        while not bridge.finished:
            while len(attempts) < WORKERS:
                order, duration = measure_call(bridge.next_order)
                if order is None:
                    break
                seconds["orders"].append(duration)
                attempts[order.number] = Attempt(replace(order, spacing=0.0), data, train=fake_train)
            for number, attempt in list(attempts.items()):
                must_stop, duration = measure_call(bridge.report, number, attempt.next_report())
                seconds["ends" if number not in bridge.running else "decisions"].append(duration)
                if must_stop:
                    bridge.released(number, attempt.order.attempt)
                    del attempts[number]
    results = [*seconds["decisions"], *seconds["ends"]]
    total = sum(map(sum, seconds.values()))
    return Load(
        a_second=len(results) / total,
        processor=processor / total,
        decision=float(np.median(results)),
        slow_decision=float(np.quantile(results, 0.99)),
        order=float(np.median(seconds["orders"])),
        parts={name: sum(each) / total for name, each in seconds.items()},
    )
