"""Runs whole sweeps over the same configs, by this project and by the rival, each in processes of their own."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
LIMIT_SECONDS = 1800  # for one sweep


@dataclass(frozen=True)
class Work:
    """The trials that both sides run: the same configs, which differ only in their learning rates."""

    arch: str
    trials: int
    epochs: int
    batch_size: int = 200

    def __str__(self) -> str:
        return f"{self.trials} trials x {self.epochs} epochs, {self.arch}"

    def configs(self) -> list[dict[str, Any]]:
        """Returns the configs in the form that both sides read."""
        rates = random.Random(0)
        common = {"arch": self.arch, "p": 0.5, "batch_size": self.batch_size, "epochs": self.epochs}
        return [common | {"lr": round(10 ** rates.uniform(-3, -1), 5)} for _ in range(self.trials)]


@dataclass
class Run:
    """The measurements of one sweep.

    Attributes:
      seconds: from the command to its end.
      best: the validation accuracy of its best trial.
      gaps: seconds from the end of a trial to the first batch of the next one on the same worker.
      events: the log of `benchmarks/timed_run.py`; empty if nothing was logged.
      first_step_after: seconds from the command to the first training step of a trial.
    """

    seconds: float
    best: float
    gaps: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    first_step_after: float = math.nan

    @property
    def span(self) -> float:
        """The seconds from the first training step to the end of the last epoch."""
        return self._epochs[-1]["at"] - self._first_step

    @property
    def ending(self) -> float:
        """The seconds from the end of the last epoch to the end of the command, including report and predictions."""
        return self.seconds - self.first_step_after - self.span

    def parts(self, workers: int = WORKERS) -> dict[str, float]:
        """Returns the parts of the workers' time between the first step and the last, as shares of span x workers."""
        total = self.span * workers
        epoch_seconds = sum(event["seconds"] for event in self._epochs)
        shares = {name: sum(event[name] for event in self._epochs) for name in ("augment", "evaluate")}
        shares["forward and backward"] = epoch_seconds - sum(shares.values())
        shares["report and checkpoint"] = self._report_seconds()
        shares["wait"] = total - sum(shares.values())
        return {name: seconds / total for name, seconds in shares.items()}

    def _report_seconds(self) -> float:
        """Returns the seconds of reports within the span, without their epochs.

        A worker's first report is left out, because it begins before the worker's first step.
        """
        total, end = 0.0, self._epochs[-1]["at"]
        for pid in {event["pid"] for event in self.events}:
            epoch_seconds, is_first = 0.0, True
            for event in (event for event in self.events if event["pid"] == pid):
                if event["event"] == "epoch":
                    epoch_seconds += event["seconds"]
                elif event["event"] == "report":
                    if not is_first and event["at"] <= end:
                        total += event["seconds"] - epoch_seconds
                    epoch_seconds, is_first = 0.0, False
        return total

    @property
    def _epochs(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "epoch"]

    @property
    def _first_step(self) -> float:
        return min(event["at"] for event in self.events if event["event"] == "step")


def rival(work: Work, data: Path) -> Run:
    """Runs the rival's sweep."""
    with tempfile.TemporaryDirectory() as folder:
        configs = Path(folder) / "configs.json"
        configs.write_text(json.dumps(work.configs()))
        seconds, out, _ = _run_module("benchmarks.docs_loop", "--data", data, "--configs", configs)
        result = json.loads(out.strip().splitlines()[-1])
        assert result["trials"] == work.trials
        return Run(seconds, result["best"], result["gaps"])


def ours(
    work: Work,
    data: Path,
    is_timed: bool = False,
    concurrency: int = WORKERS,
    gpus: float = 0.0,
    keep: Path | None = None,
    seed: int = 0,
) -> Run:
    """Runs this project's sweep.

    Args:
      is_timed: whether the workers log what they do.
      concurrency: the number of trials that run at a time.
      gpus: the GPUs per trial.
      keep: a folder with a sweep that is continued, and with the cache of decoded data; None for new ones.
      seed: the seed of the sweep.
    """
    with tempfile.TemporaryDirectory() as new_folder:
        folder = keep or Path(new_folder)
        configs, log, sweep = (folder / name for name in ("configs.json", "log", "sweep"))
        log.unlink(missing_ok=True)
        configs.write_text(json.dumps(work.configs()))
        words = ["--data", data, "--sweep", sweep, "--trials", work.trials, "--concurrency", concurrency]
        words += ["--space", ROOT / "benchmarks/rival_space.py:suggest", "--enqueue", configs]
        words += ["--seed", seed, "--gpus-per-trial", gpus, "--no-baselines", "--pruner", "none", "--sampler", "random"]
        module = ["benchmarks.timed_run", log] if is_timed else ["search.run"]
        seconds, _, first = _run_module(*module, *words, cache=folder / "cache", sweep=sweep)
        histories = [json.loads(path.read_text()) for path in sorted(sweep.glob("trials/*/history.json"))]
        assert len(histories) == work.trials
        best = max(epoch["valid_accuracy"] for history in histories for epoch in history)
        events = [json.loads(line) for line in log.read_text().splitlines()] if is_timed else []
        return Run(seconds, best, _gaps(events), events, first)


def _gaps(events: list[dict[str, Any]]) -> list[float]:
    gaps = []
    for pid in {event["pid"] for event in events}:
        worker_events = [event for event in events if event["pid"] == pid and event["event"] in ("step", "epoch")]
        gaps += [b["at"] - a["at"] for a, b in pairwise(worker_events) if (a["event"], b["event"]) == ("epoch", "step")]
    return gaps


def _run_module(
    module: str, *words: Any, cache: Path | None = None, sweep: Path | None = None
) -> tuple[float, str, float]:
    """Runs a module; returns its seconds, its output, and the seconds to the first training step of the sweep.

    A worker opens an attempt's hung.txt when the net is built and the first batch is next.
    """
    local_ray = {"RAY_ADDRESS": "local"}  # so that Ray ignores any cluster that runs or ran on this machine
    environment = {**os.environ, **local_ray, "RAY_USAGE_STATS_ENABLED": "0", "NO_ALBUMENTATIONS_UPDATE": "1"}
    if cache is not None:
        environment["XDG_CACHE_HOME"] = str(cache)
    command = [sys.executable, "-m", module, *map(str, words)]
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    first = math.nan
    try:
        while sweep is not None and math.isnan(first) and process.poll() is None:
            if any(sweep.glob("trials/*/attempt-*/hung.txt")):
                first = time.monotonic() - started
            time.sleep(0.01)
        out, errors = process.communicate(timeout=LIMIT_SECONDS)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{out[-2000:]}{errors[-4000:]}")
    return seconds, out, first
