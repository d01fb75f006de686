"""Trials without training: a fake `train` for `Attempt`, an executor without Ray, and data in memory."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sweep.analysis.outputs.tables import epochs_table, trials_table
from sweep.analysis.record import Record
from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.search.pruners import new_pruner
from sweep.search.runtime.bridge import Bridge
from sweep.search.runtime.draws import Plan
from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.settings import NEWEST_DEFAULTS
from sweep.search.sinks import Sink
from sweep.search.spaces.space import Space
from sweep.storage.files import save_array
from sweep.storage.sweep_file import DataOptions, Settings, SweepFile
from sweep.trainable.config import TrialConfig
from sweep.trainable.loop import Diverged
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.state import TrainState
from sweep.trainable.worker.attempt import Attempt, Train


def in_memory(train: int = 24, valid: int = 20, side: int = 16, seed: int = 0) -> Dataset:
    """Three classes told apart by their colour."""
    rng = np.random.default_rng(seed)

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % 3
        images = rng.integers(0, 90, (count, 3, side, side), dtype=np.uint8)
        images[np.arange(count), labels] += 150
        return Split(tuple(f"{i}.png" for i in range(count)), images, labels)

    return Dataset(split(train), split(valid), None, ("0", "1", "2"), None, "f" * 64, ())


def fake_space(trial: Any) -> TrialConfig:
    """A rate above 0.5 diverges; otherwise 0.1 is best."""
    return TrialConfig(
        arch="mlp",
        width=0.1,
        lr=trial.suggest_float("lr", 1e-3, 1.0, log=True),
        epochs=trial.suggest_int("epochs", 3, 12),
        batch_size=trial.suggest_categorical("batch_size", [8, 16]),
    )


def space_with_a_gap(trial: Any) -> TrialConfig:
    """Raises for middling rates, behind which lies a parameter that is not drawn then."""
    lr = trial.suggest_float("lr", 1e-3, 0.4, log=True)
    if 0.01 < lr < 0.1:
        raise ValueError("no such lr")
    return TrialConfig(arch="mlp", width=0.1, lr=lr, epochs=trial.suggest_int("epochs", 3, 6), batch_size=8)


def fake_train(config: TrialConfig, data: Dataset, state: TrainState) -> Iterator[EpochMetrics]:
    """Epochs that cost nothing and depend on (config, epoch) alone."""
    assert data.valid.labels is not None
    while state.epochs_done < config.epochs:
        epoch = state.epochs_done + 1
        if config.lr > 0.5:
            raise Diverged(f"epoch {epoch}: lr={config.lr}")
        rng = np.random.default_rng([config.seed, epoch])
        value = 0.9 - abs(math.log10(config.lr) + 1) / 4 - 0.3 / epoch + 0.05 * rng.random()
        metrics = EpochMetrics(epoch, 1 - value, 1 - value, value, value, config.lr, 0.0, config.batch_size)
        state.add_epoch(metrics, rng.random((len(data.valid.labels), 3)).astype(np.float32))
        yield metrics


class WorkerDied(BaseException):
    """What Ray would tell of a worker that is gone."""


class Silent(Sink):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.ordered: list[tuple[int, int]] = []
        self.messages: list[str] = []

    def started(self, order: Any) -> None:
        self.ordered.append((order.number, order.attempt))

    def announced(self, message: str) -> None:
        self.messages.append(message)


def open_bridge(
    folder: Path, trials: int, function: Any = fake_space, max_epochs: int = 12, ledger: str = "", **plan: Any
) -> tuple[Bridge, Silent]:
    """A bridge over the sweep in `folder`, begun where there is none, and recovered.

    Args:
      ledger: URL of a database; empty for a journal.
      plan: of `Plan`, and `pruner` and `id`; of data in folds `folds`, their (N,) numbers; `pruner_number`, 3 for one
        that pauses trials at their rungs.
    """
    plan = {"seed": 7, "metric": "accuracy", "sampler": "tpe", "queue": {}, "kept_of_kind": 1} | plan
    pruner, name = plan.pop("pruner", "halving"), plan.pop("id", "a" * 32)
    number = plan.pop("pruner_number", 2)  # under which few trials are ordered once each, whatever they come to
    folds = plan.pop("folds", None)
    count = None if folds is None else len(np.unique(folds))
    space = Space(function, {}, max_epochs)
    if not (folder / "sweep.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        settings = Settings("data", trials, max_epochs, 7, plan["metric"], None, {}, "none", "tpe", pruner, ledger)
        file = SweepFile(settings, space.table(), "f" * 64, ["0", "1", "2"], [16, 16], plan["queue"], [], name)
        file.defaults = replace(NEWEST_DEFAULTS, pruner=number)
        file.settings.data_options = DataOptions(folds=count)
        if folds is not None:
            save_array(folder / "folds.npy", folds)
        file.write(folder)
    watcher = Silent()
    ledger = Ledger(folder, name, plan["metric"], new_pruner(pruner, number, count), ledger)
    bridge = Bridge(folder, ledger, space, Plan(trials=trials, folds=count, **plan), watcher)
    bridge.recover()
    return bridge, watcher


def execute(bridge: Bridge, data: Dataset, workers: int = 1, train: Train = fake_train) -> None:
    """What `search.ray.executor` does with Ray: every worker in turn makes a report."""
    attempts: dict[int, Attempt] = {}
    while not bridge.finished:
        while len(attempts) < workers and (order := bridge.next_order()):
            attempts[order.number] = Attempt(order, data, train=train)
        for number, attempt in list(attempts.items()):
            try:
                report = attempt.next_report()
            except WorkerDied:
                bridge.lost(number, attempt.order.attempt, "killed")
                del attempts[number]
                continue
            if bridge.report(number, report):
                bridge.released(number, attempt.order.attempt)
                del attempts[number]


def outcome(folder: Path) -> str:
    """Everything that counts of a sweep, without attempts and seconds: equal texts, equal sweeps."""
    record = Record(folder)
    table = trials_table(record).drop(columns=["attempts", "seconds"])
    predictions = [None if trial.valid_classes is None else trial.valid_classes.tolist() for trial in record.trials]
    weights = [trial.weights is not None for trial in record.trials]
    return table.to_csv() + repr(predictions) + repr(weights) + epochs_table(record).drop(columns="seconds").to_csv()
