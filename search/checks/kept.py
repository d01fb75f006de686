"""Checks what is kept in a trial's folder against what the ledger says of the trial."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from analysis.record import AVERAGED
from search.checks.findings import Backup, Finding, move_away, of, remove_left_over, without
from search.checks.mending import attempt_number, has_no_config
from search.checks.restored import KEPT_FILES
from search.runtime import trial_files
from storage.files import DamagedError, read_array, read_json
from storage.sweep_file import SweepFile
from storage.text import counted
from storage.weights import check_weights
from trainable.config import TrialConfig
from trainable.metrics.history import METRICS, EpochMetrics, best_epoch, read_history
from trainable.state import CheckpointError, read_checkpoint
from trainable.worker.order import checkpoints

NAMES = {*KEPT_FILES, "config.json", "log.txt"}  # in a trial's folder, beside its attempts
LOST = {
    "history.json": "its epochs, for curves and tables; its value stays",
    "valid_classes.npy": "the classes it predicted after each epoch",
    "valid_logits.npy": "its predictions at its best epoch",
}
T = TypeVar("T")


@dataclass
class TrialFolder:
    """The folder of a trial.

    Attributes:
      trial: as it must be.
      labels: of the validation images; None where they are lost.
      gone: files that earlier repairs had to do without.
      foreign: files that nothing here reads.
    """

    folder: Path
    trial: FrozenTrial
    file: SweepFile
    labels: np.ndarray | None
    gone: set[Path]
    findings: list[Finding] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)

    def check(self) -> None:
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            found = "must be a folder of this sweep, and is a link or a file"
            self.findings.append(Finding(self.folder, found, "moved away", mend=move_away(self.folder)))
            return
        state = self.trial.state
        if has_no_config(self.trial):
            self.foreign += sorted(self.folder.iterdir()) if self.folder.exists() else []
            return
        if state.is_finished() or (self.folder / "config.json").exists():
            self._check_config()
        if state.is_finished():
            goes_on = state != TrialState.FAIL  # that one can have ended before its first checkpoint
            history = self._read("history.json", goes_on, self._history)
            classes = self._read("valid_classes.npy", goes_on, lambda path: self._classes(path, history))
            self._read("valid_logits.npy", state == TrialState.COMPLETE, lambda path: self._logits(path, classes))
            self._check_averaged()
        for path in sorted(self.folder.iterdir()) if self.folder.exists() else ():
            if path.name.endswith(".partial") and path.name.removesuffix(".partial") in NAMES:
                self._left_over(path, "a write that did not finish")
            elif path.name.startswith("attempt-"):
                self._check_attempt(path)
            elif path.name not in NAMES:
                self.foreign.append(path)

    @property
    def best_epoch(self) -> int:
        return best_epoch(self._values, self.file.settings.metric)

    @property
    def _values(self) -> list[float]:
        return [value for _, value in sorted(self.trial.intermediate_values.items())]

    def wrong_weights(self, path: Path) -> str:
        """What keeps a file from being the trial's best weights; empty where nothing does."""
        try:
            check_weights(path, self.trial.user_attrs["config"], self.best_epoch)
        except FileNotFoundError:
            return "missing"
        except DamagedError as error:
            return of(error)
        return ""

    def _check_config(self) -> None:
        path, config = self.folder / "config.json", self.trial.user_attrs["config"]
        try:
            found = "must be the config in the ledger" if read_json(path) != config else ""
        except FileNotFoundError:
            found = "missing"
        except DamagedError as error:
            found = of(error)

        def write(backup: Backup) -> None:
            if path.is_file() and not path.is_symlink():
                backup.copy(path)
            elif os.path.lexists(path):
                backup.take(path)
            trial_files.write_config(self.folder, TrialConfig.from_dict(config))

        if found:
            self.findings.append(Finding(path, found, "written anew from the ledger", mend=write))

    def _read(self, name: str, is_needed: bool, read: Callable[[Path], T]) -> T | None:
        """What a kept file says; None, and a finding, where it cannot be trusted."""
        path = self.folder / name
        try:
            return read(path)
        except FileNotFoundError:
            if is_needed:
                self.findings.append(without(path, "missing", LOST[name], self.gone))
        except ValueError as error:
            self.findings.append(without(path, of(error), LOST[name], self.gone))
        return None

    def _history(self, path: Path) -> list[EpochMetrics]:
        history, metric = read_history(read_json(path)), self.file.settings.metric
        values = [getattr(metrics, METRICS[metric]) for metrics in history]
        if [values[best_epoch(values[:epoch], metric) - 1] for epoch in range(1, len(values) + 1)] != self._values:
            raise ValueError("damaged: it does not have the values that are in the ledger")
        return history

    def _classes(self, path: Path, history: list[EpochMetrics] | None) -> np.ndarray:
        classes, epochs = read_array(path), len(self._values)
        images = classes.shape[-1:] if self.labels is None else self.labels.shape
        _hold(classes.dtype == np.uint8 and classes.shape == (epochs, *images), f"uint8 {(epochs, *images)}", classes)
        highest = int(classes.max(initial=0))
        _hold(highest < len(self.file.classes), "classes of the sweep", highest)
        if history and self.labels is not None:
            right, told = (classes == self.labels).mean(axis=1), [metrics.valid_accuracy for metrics in history]
            epoch = 1 + int(np.abs(right - told).argmax())
            rule = bool(np.allclose(right, told, rtol=0, atol=1e-9))
            _hold(
                rule,
                f"right as often as history.json says of epoch {epoch}, {told[epoch - 1]:.4f}",
                f"{right[epoch - 1]:.4f}",
            )
        return classes

    def _logits(self, path: Path, classes: np.ndarray | None) -> None:
        logits = self._finite(path)
        if classes is not None and self._values:
            differ = int((logits.argmax(axis=1) != classes[self.best_epoch - 1]).sum())
            _hold(
                differ == 0,
                f"those of valid_classes.npy at epoch {self.best_epoch}",
                counted(differ, "other class", "other classes"),
            )

    def _check_averaged(self) -> None:
        path = self.folder / AVERAGED
        try:
            self._finite(path)
        except FileNotFoundError:
            return  # made at a sweep's end, for some
        except ValueError as error:
            way_out = "moved away, and made anew with the next results"
            self.findings.append(Finding(path, of(error), way_out, mend=move_away(path)))

    def _finite(self, path: Path) -> np.ndarray:
        """(N, classes) float32."""
        logits = read_array(path)
        images = logits.shape[:1] if self.labels is None else self.labels.shape
        shape = *images, len(self.file.classes)
        _hold(logits.dtype == np.float32 and logits.shape == shape, f"float32 {shape}", logits)
        _hold(bool(np.isfinite(logits).all()), "finite numbers", "others")
        return logits

    def _check_attempt(self, path: Path) -> None:
        if self.trial.state.is_finished():
            self._left_over(path, "an attempt of a trial that has ended")
        elif not attempt_number(path):
            found = "must be the folder of an attempt, and is a link, a file or has no such number"
            self.findings.append(Finding(path, found, "moved away", mend=move_away(path)))
        else:
            for checkpoint in checkpoints(path):
                try:
                    read_checkpoint(checkpoint)
                except CheckpointError as error:
                    if os.path.lexists(checkpoint):  # not just replaced by a newer one
                        way_out = "the newest one that is whole is used; with none, the trial begins at its first epoch"
                        found = of(error)
                        self.findings.append(Finding(checkpoint, found, way_out, is_problem=False))

    def _left_over(self, path: Path, what: str) -> None:
        self.findings.append(
            Finding(
                path,
                f"left over: {what}",
                "removed, as by the next start",
                mend=remove_left_over(path),
                is_problem=False,
            )
        )


def _hold(rule: bool, must_be: str, got: Any) -> None:
    """Raises:
    ValueError: the rule does not hold.
    """
    if not rule:
        shown = f"{got.dtype} {got.shape}" if isinstance(got, np.ndarray) else got
        raise ValueError(f"damaged: must be {must_be}, got {shown}")
