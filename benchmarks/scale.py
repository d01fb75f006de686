"""How far one driver reaches: four nodes beside one, and 256 workers simulated in this process."""

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
ASKED = ("--no-baselines", "--pruner", "none", "--sampler", "random", "--fix", "arch=mlp")


def pace_of_nodes() -> tuple[float, float]:
    """Trials a second of a cluster with one node of one CPU, and with four, whose workers sleep instead of training.

    Counted from when each node has ended a trial until one has no more, so that the start of their workers is not in
    it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "demo"
        data.mkdir()
        write_demo(data)
        with cluster(folder / "home") as there:
            there.add()
            one = _pace(there, data, folder / "one", 1)
            for _ in range(NODES - 1):
                there.add()
            return one, _pace(there, data, folder / "four", NODES)


def _pace(there: Any, data: Path, sweep: Path, nodes: int) -> float:
    epochs = ("--max-epochs", EPOCHS, "--fix", f"epochs={EPOCHS}")
    asked = ("--data", data, "--sweep", sweep, "--trials", nodes * TRIALS_A_NODE, *ASKED, *epochs)
    driver = there.drive("benchmarks.sleeping_run", *asked)
    output, _ = driver.communicate()
    assert driver.returncode == 0, output
    ends = sorted(trial.ended_at for trial in Record(sweep).trials if trial.ended_at)
    window = ends[nodes - 1 : len(ends) - nodes + 1]
    return (len(window) - 1) / (window[-1] - window[0]).total_seconds()


@dataclass(frozen=True)
class Load:
    """What the results of 256 workers cost their driver, without Ray.

    Attributes:
      a_second: results handled, at most; the orders that follow on them included.
      processor: of the driver's time, the share on a processor; the rest waits for the disk.
      decision, slow_decision: seconds from a result to what becomes of its trial: the median, and 99 of 100 at most.
      order: seconds to draw and write down the next trial, the median.
      parts: share of the time in decisions of running trials, ends of trials, and orders.
    """

    a_second: float
    processor: float
    decision: float
    slow_decision: float
    order: float
    parts: dict[str, float]


def deep(trial: Any) -> TrialConfig:
    return replace(six_parameters(trial), epochs=27)


def load_of_workers(sampler: str) -> Load:
    """A sweep of 1,024 trials, each with a result at either rung and one at its end; workers wait for nothing."""
    data = in_memory()
    seconds: dict[str, list[float]] = {"decisions": [], "ends": [], "orders": []}
    processor = 0.0

    def clocked(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
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
                order, took = clocked(bridge.next_order)
                if order is None:
                    break
                seconds["orders"].append(took)
                attempts[order.number] = Attempt(replace(order, spacing=0.0), data, train=fake_train)
            for number, attempt in list(attempts.items()):
                must_stop, took = clocked(bridge.report, number, attempt.next_report())
                seconds["ends" if number not in bridge.running else "decisions"].append(took)
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
