"""One try of a trial on a worker: where its files lie, where it starts, when it reports.

An attempt writes only into its own folder, `trials/NUMBER/attempt-K/`, so that a worker
thought dead and still writing can harm no later attempt.
"""

import json
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from datasets.images import Dataset
from trainable import loop
from trainable.config import TrialConfig, rungs
from trainable.files import written_whole
from trainable.state import CheckpointError, EpochMetrics, TrainState, checkpoints, load, new_state, save

REPORT_SECONDS = 1.0  # how long epochs are gathered into one report
SAVE_SHARE = 0.05  # of a worker's time, at most, goes into checkpoints

Train = Callable[[TrialConfig, Dataset, TrainState], Iterator[EpochMetrics]]


@dataclass(frozen=True)
class Order:
    """What the driver asks of a worker.

    Attributes:
      folder: of the trial, absolute; the attempts lie in it.
      metric: `accuracy`, `balanced_accuracy` or `loss`.
    """

    number: int
    attempt: int
    config: TrialConfig
    folder: Path
    metric: str

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder), "config": self.config.to_dict()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Order":
        config = TrialConfig.from_dict(values["config"])
        return Order(**{**values, "folder": Path(values["folder"]), "config": config})


def attempt_folder(folder: Path, attempt: int) -> Path:
    return folder / f"attempt-{attempt}"


def newest_checkpoints(folder: Path, up_to_attempt: int) -> list[Path]:
    """The checkpoints a trial can go on from, the furthest first."""
    found = [path for k in range(1, up_to_attempt + 1) for path in checkpoints(attempt_folder(folder, k))]
    return sorted(found, key=lambda path: path.stem, reverse=True)


class Attempt:
    """Carries an order out, a report at a time.

    A report is `{"attempt", "history", "failure", "done"}`: all epochs so far, and for
    a failure `{"reason", "message"}`, with the traceback as `log` for an error. The
    files that go with a report are whole on the disk before it is made.
    """

    def __init__(self, order: Order, data: Dataset, device: str = "cpu", train: Train = loop.train) -> None:
        self.order, self.data, self.device, self.train = order, data, device, train
        self.folder = attempt_folder(order.folder, order.attempt)
        self.state: TrainState | None = None
        self.epochs: Iterator[EpochMetrics] = iter(())
        self.save_seconds = 0.0

    def next_report(self) -> dict[str, Any]:
        """Trains to the next rung, for about a second, or to the end; a failure is a report too."""
        failure = None
        try:
            if self.state is None:
                self.state = self._starting_state()
                self.epochs = self.train(self.order.config, self.data, self.state)
            self._train_to_next_report(self.state)
        except loop.Diverged as error:
            failure = {"reason": "diverged", "message": str(error)}
        except (torch.OutOfMemoryError, MemoryError) as error:
            failure = {"reason": "out of memory", "message": str(error)}
        except OSError as error:  # the storage's fault, not the config's: the sweep stops, the trial stays
            failure = {"reason": "storage", "message": str(error)}
        except Exception as error:
            failure = {"reason": "error", "message": f"{type(error).__name__}: {error}", "log": traceback.format_exc()}
        history = [asdict(metrics) for metrics in self.state.history] if self.state else []
        done = failure is not None or len(history) >= self.order.config.epochs
        report = {"attempt": self.order.attempt, "history": history, "failure": failure, "done": done}
        if done and (failure is None or failure["reason"] != "storage"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(self.folder / "result.json") as partial:
                partial.write_text(json.dumps(report))
        return report

    def _starting_state(self) -> TrainState:
        for path in newest_checkpoints(self.order.folder, self.order.attempt):
            try:
                return load(path, self.order.config, self.data, self.order.metric, self.device)
            except CheckpointError:
                continue  # the one before it is whole; none: from the start
        return new_state(self.order.config, self.data, self.order.metric, self.device)

    def _train_to_next_report(self, state: TrainState) -> None:
        started = time.monotonic()
        due = max(REPORT_SECONDS, self.save_seconds / SAVE_SHARE)
        stops = rungs(self.order.config.epochs)
        for metrics in self.epochs:
            if metrics.epoch in stops or time.monotonic() - started >= due:
                break
        if state.epochs_done:
            saving = time.monotonic()
            save(state, self.order.config, self.folder)
            self.save_seconds = time.monotonic() - saving
