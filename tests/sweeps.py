"""Sweeps for tests: written as a driver writes them, without a driver and without training."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from sweep.analysis.record import Record
from sweep.datasets.pixels.dataset import Dataset, Split
from sweep.search.pruners import new_pruner
from sweep.search.runtime import trial_files
from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.settings import NEWEST_DEFAULTS
from sweep.search.samplers import new_sampler
from sweep.storage.paths import attempt_folder, trial_folder
from sweep.storage.sweep_file import Settings, SweepFile
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics import measure
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.saving import save
from sweep.trainable.state import new_state

HOSTILE = "epoch 2: <script>alert(1)</script> | `x` \x1b[31m\nnext line"
MLP = TrialConfig(arch="mlp", width=1.0, epochs=4, lr=0.01)
CNN = TrialConfig(arch="cnn", width=1.0, depth=2, head=128, epochs=4, lr=0.5, horizontal_flip=0.5)


@dataclass
class SweepBuilder:
    """Adds trials to a new sweep in `folder`."""

    folder: Path
    data: Dataset
    metric: str = "accuracy"
    data_path: str = "nowhere"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        settings = Settings(
            data=self.data_path,
            trials=8,
            max_epochs=40,
            seed=7,
            metric=self.metric,
            space=None,
            fixed={},
            baselines="published",
            sampler="tpe",
            pruner="halving",
            ledger="",
        )
        file = SweepFile(
            settings=settings,
            table={},
            fingerprint=self.data.fingerprint,
            classes=list(self.data.classes),
            image_size=list(self.data.image_size),
            queue={},
            notes=["No validation split: <b>30</b> images were set aside."],
            id="0123",
            versions={"optuna": "5.0.0", "torch": "2.14.1"},
            commit="abc1234",
            defaults=NEWEST_DEFAULTS,
        )
        file.started("python -m search.run --trials 8", self.folder)
        file.write(self.folder)
        np.save(self.folder / "valid_labels.npy", self.data.valid.labels)
        self.ledger = Ledger(self.folder, "0123", self.metric, new_pruner("none"))

    @property
    def record(self) -> Record:
        return Record(self.folder)

    def add(
        self,
        config: TrialConfig,
        right: list[int],
        state: str = "COMPLETE",
        given: dict[str, Any] | None = None,
        **attributes: Any,
    ) -> int:
        """A trial that has so many validation images right after each epoch; its weights are untrained.

        Args:
          state: RUNNING leaves it without an end.
          given: the parameters that it was drawn with; default `arch` and `lr`.
          attributes: of the ledger, such as `reason`, `message`, `baseline`.
        """

        def choose(trial: optuna.Trial) -> TrialConfig:
            trial.suggest_categorical("arch", ["mlp", "cnn", "small_resnet"])
            if "lr_multiple" in chosen:
                trial.suggest_float("lr_multiple", 0.01, 10.0, log=True)
            else:
                trial.suggest_float("lr", 1e-4, 1.0, log=True)
            return config

        chosen = given or {"arch": config.arch, "lr": config.lr}
        self.ledger.draw(new_sampler("random", 0, 0), choose, chosen)
        number = self.ledger.add({"config": config.to_dict(), "attempt": 1})
        folder = trial_folder(self.folder, number)
        trial_files.write_config(folder, config)
        trained = new_state(config, self.data, self.metric)
        metric = trained.metric
        values: list[float] = []
        for epoch, count in enumerate(right, start=1):
            logits = self._logits(count)
            measured = measure(self.data.valid.labels, logits, metric)
            metrics = EpochMetrics(
                epoch=epoch, train_loss=1 / epoch, lr=config.lr, seconds=0.25, micro_batch=config.batch_size, **measured
            )
            trained.add_epoch(metrics, logits)
            values = metric.best_so_far(metric.of_epochs(trained.history))
            self.ledger.report(number, {epoch: values[-1]})
        for name, value in attributes.items():
            self.ledger.set(number, name, value)
        if right:
            save(trained, config, attempt_folder(folder, 1))
        if state != "RUNNING":
            trial_files.keep(folder, 1, len(right), with_weights=True)
            trial_files.remove_attempts(folder)
            self.ledger.tell(number, TrialState[state], values[-1] if state == "COMPLETE" else None)
        return number

    def _logits(self, right: int) -> np.ndarray:
        """The first `right` images as they should be, the others taken for the next class."""
        classes, labels = len(self.data.classes), self.data.valid.labels
        assert labels is not None
        predicted = np.where(np.arange(len(labels)) < right, labels, (labels + 1) % classes)
        return 2 * np.eye(classes, dtype=np.float32)[predicted]


def noise(classes: int = 3) -> Dataset:
    """So many classes of random pixels that lie in no file: 60 train, 30 validation, 10 test images."""
    rng = np.random.default_rng(0)

    def split(name: str, count: int) -> Split:
        ids = tuple(f"{name}{number:02}.png" for number in range(count))
        return Split(ids, rng.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8), np.arange(count) % classes)

    test, names = replace(split("test", 10), labels=None), tuple(map(str, range(classes)))
    return Dataset(split("train", 60), split("validation", 30), test, names, None, "f00d", ())


def varied_sweep(folder: Path, data: Dataset, data_path: str = "nowhere") -> SweepBuilder:
    """Two COMPLETE architectures, of which trial 1 is the best at its epoch 3, and every other state."""
    sweep = SweepBuilder(folder, data, data_path=data_path)
    sweep.add(MLP, [9, 12, 15, 12], baseline="mlp")
    sweep.add(CNN, [10, 18, 24, 21])
    sweep.add(MLP, [6, 27], "PRUNED", reason="not among the best at its rung")  # higher, but it did not go on
    sweep.add(CNN, [6], "FAIL", reason="diverged", message=HOSTILE)
    sweep.add(MLP, [], "FAIL", reason="out of memory", message="=1+1")
    sweep.add(CNN, [9, 9], "RUNNING")
    return sweep
