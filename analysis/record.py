"""The one reader of a sweep: its settings, its trials out of the ledger, and what was kept of each."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from analysis.journal import Journal


class SweepError(Exception):
    """There is no sweep where one was expected, or it cannot be read; the message says what to do."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the ledger has it.

    Attributes:
      state: `COMPLETE`, `PRUNED`, `FAIL` or `RUNNING`.
      reason: why a trial was PRUNED or FAILed; empty otherwise.
      value: the best of the metric over the counted epochs; None before the first epoch and for a FAIL.
      best_epoch: the epoch of `value`; 0 where there is none.
      epochs: how many epochs count (a pruned trial's up to its rung).
      baseline: the name of the published run that this trial repeats; empty otherwise.
      config: the fields of its `TrialConfig` that are set.
      params: what the search chose, by the names of the space.
    """

    number: int
    state: str
    reason: str
    message: str
    value: float | None
    best_epoch: int
    epochs: int
    attempts: int
    baseline: str
    config: dict[str, Any]
    params: dict[str, Any]
    folder: Path

    @property
    def history(self) -> list[dict[str, float]]:
        """The counted epochs, `trainable.state.EpochMetrics` as objects; empty where nothing was kept yet."""
        path = self.folder / "history.json"
        return json.loads(path.read_text())[: self.epochs] if path.exists() else []

    @property
    def valid_classes(self) -> np.ndarray | None:
        """(epochs, N) uint8: the predicted class of each validation image after each epoch."""
        return _array(self.folder / "valid_classes.npy")

    @property
    def valid_logits(self) -> np.ndarray | None:
        """(N, classes) float32 at the best epoch."""
        return _array(self.folder / "valid_logits.npy")

    @property
    def weights(self) -> Path | None:
        """The safetensors file of the best epoch, kept for the best trials."""
        path = self.folder / "best.safetensors"
        return path if path.exists() else None


class Record:
    """A running, interrupted or finished sweep.

    Attributes:
      folder: the sweep's.
      settings: what `sweep.json` says: among others `metric`, `trials`, `classes`,
        `image_size` (height and width), `data`, `fingerprint`, `seed`, `versions`, `starts`.
    """

    def __init__(self, folder: Path) -> None:
        """Raises:
        SweepError: the folder holds no sweep.
        JournalError: the ledger is damaged.
        """
        self.folder = folder
        try:
            self.settings: dict[str, Any] = json.loads((folder / "sweep.json").read_text())
        except FileNotFoundError:
            raise SweepError(f"{folder}: holds no sweep (no sweep.json); start one with --sweep {folder}") from None
        except json.JSONDecodeError as error:
            raise SweepError(f"{folder / 'sweep.json'}:{error.lineno}: is not JSON: {error.msg}") from None

    @cached_property
    def study(self) -> optuna.Study:
        """The ledger's study, only to be read."""
        path = self.folder / "journal.log"
        if not path.exists() or path.stat().st_size == 0:
            raise SweepError(f"{self.folder}: has no trials yet")
        storage = optuna.storages.JournalStorage(Journal(path))
        return optuna.load_study(storage=storage, study_name=self.settings["id"])

    @cached_property
    def trials(self) -> list[TrialRecord]:
        return [self._trial(trial) for trial in self.study.get_trials(deepcopy=False)]

    @property
    def metric(self) -> str:
        return self.settings["metric"]

    @property
    def classes(self) -> list[str]:
        return self.settings["classes"]

    def better(self, a: float, b: float) -> bool:
        return a < b if self.metric == "loss" else a > b

    @property
    def ranked(self) -> list[TrialRecord]:
        """Trials with a value, COMPLETE before PRUNED, each the best first; the lower number wins a tie."""
        sign = 1 if self.metric == "loss" else -1
        found = [trial for trial in self.trials if trial.value is not None and trial.state in ("COMPLETE", "PRUNED")]
        return sorted(found, key=lambda trial: (trial.state != "COMPLETE", sign * (trial.value or 0.0), trial.number))

    @property
    def best(self) -> TrialRecord | None:
        """The best COMPLETE trial."""
        ranked = self.ranked
        return ranked[0] if ranked and ranked[0].state == "COMPLETE" else None

    @cached_property
    def valid_labels(self) -> np.ndarray:
        """(N,) class indices of the validation split."""
        return np.load(self.folder / "valid_labels.npy", allow_pickle=False)

    def trials_table(self) -> pd.DataFrame:
        """A row a trial; `valid_accuracy` at its best epoch, `seconds` of all its epochs, `config.*` where set."""
        rows = []
        for trial in self.trials:
            history = trial.history
            at_best = history[trial.best_epoch - 1] if 0 < trial.best_epoch <= len(history) else {}
            row = {
                "number": trial.number,
                "state": trial.state,
                "reason": trial.reason,
                "baseline": trial.baseline,
                "value": trial.value,
                "valid_accuracy": at_best.get("valid_accuracy"),
                "best_epoch": trial.best_epoch,
                "epochs": trial.epochs,
                "attempts": trial.attempts,
                "seconds": round(sum(epoch["seconds"] for epoch in history), 3),
            }
            rows.append(row | {f"config.{name}": value for name, value in trial.config.items()})
        return pd.DataFrame(rows)

    def epochs_table(self) -> pd.DataFrame:
        """A row a trial and epoch: `number` and the fields of `trainable.state.EpochMetrics`."""
        rows = [{"number": trial.number} | epoch for trial in self.trials for epoch in trial.history]
        return pd.DataFrame(rows)

    def _trial(self, trial: FrozenTrial) -> TrialRecord:
        values = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
        value = values[-1] if values and trial.state != TrialState.FAIL else None
        attributes = trial.user_attrs
        return TrialRecord(
            number=trial.number,
            state=trial.state.name,
            reason=attributes.get("reason", ""),
            message=attributes.get("message", ""),
            value=value,
            best_epoch=1 + values.index(value) if value is not None else 0,
            epochs=len(values),
            attempts=attributes.get("attempt", 0),
            baseline=attributes.get("baseline", ""),
            config=attributes["config"],
            params=trial.params,
            folder=trial_folder(self.folder, trial.number),
        )


def trial_folder(sweep: Path, number: int) -> Path:
    return sweep / "trials" / f"{number:04d}"


def _array(path: Path) -> np.ndarray | None:
    return np.load(path, allow_pickle=False) if path.exists() else None
