"""One trial of a sweep: what the ledger has of it, and what was kept of it in its folder."""

import math
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from sweep.storage import paths
from sweep.storage.files import DamagedError, read_array, read_json
from sweep.storage.programs import spelled
from sweep.storage.states import State
from sweep.storage.sweep_file import Values
from sweep.storage.text import counted
from sweep.trainable.config import MULTIPLE
from sweep.trainable.metrics.history import read_history
from sweep.trainable.models import kind_of


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the ledger has it.

    Attributes:
      reason: why a trial was PRUNED or FAILed; empty otherwise.
      value: the best of the metric over the counted epochs; None before the first epoch and for a FAIL. With folds the
        mean over those that count, each at its best epoch.
      best_epoch: the epoch of `value`; 0 where there is none, and with folds, of which each has its own.
      epochs: how many epochs count (a pruned trial's up to its rung), with folds those of all its nets.
      folds: how many folds count; 0 of a sweep without.
      is_paused: it is RUNNING in the ledger, and waits at a rung, without a worker, for others to come there.
      baseline: the name of the published run or of the reference config that this trial is; empty otherwise.
      node: of a cluster, where it ran last; empty where it is not known.
      note: what a person should know of how it was trained there; empty where there is nothing.
      ended_at: by the clock of the machine that ran the driver; None while it runs.
      config: the fields of its `TrialConfig` that are set; of a FAIL for which the space had no config its seed alone.
      params: what the search chose, by the names of the space; where that is a multiple of a reference, the field
        itself with its value.
      ranges: what each was chosen from, in the same units.
    """

    number: int
    state: State
    reason: str
    message: str
    value: float | None
    best_epoch: int
    epochs: int
    attempts: int
    baseline: str
    node: str
    ended_at: datetime | None
    config: Values
    params: Values
    ranges: dict[str, BaseDistribution]
    folder: Path
    folds: int = 0
    is_paused: bool = False
    note: str = ""

    @property
    def kind(self) -> str:
        """Of model, `trainable.models.kind_of`; empty without a config."""
        return kind_of(self.config)

    @property
    def is_head(self) -> bool:
        """Whether it is a head on the features of a net."""
        return "backbone" in self.config

    @property
    def history(self) -> list[dict[str, float]]:
        """The counted epochs, `trainable.metrics.history.EpochMetrics` as objects; empty where nothing was kept.

        With folds those of one fold after the other. What lies in the folder of a RUNNING trial was written for an end
        that never was.
        """
        path = self.folder / paths.HISTORY
        if self.state == State.RUNNING or not path.exists():
            return []
        epochs = read_json(path)
        try:
            history = read_history(epochs)
        except ValueError as error:
            raise DamagedError(path, str(error), f"`{spelled('check')}` says what else is damaged") from None
        if len(history) < self.epochs:
            raise DamagedError(
                path, f"has {counted(len(history), 'epoch')}, the ledger {self.epochs}", f"see `{spelled('check')}`"
            )
        return [metrics.to_dict() for metrics in history[: self.epochs]]

    @property
    def reached(self) -> str:
        """What its value is of, in words: `after epoch 12`, or with folds `over 5 folds`."""
        return f"over {counted(self.folds, 'fold')}" if self.folds else f"after epoch {self.best_epoch}"

    @property
    def nets(self) -> list[list[dict[str, float]]]:
        """The counted epochs of each net: of the only one, or of that of one fold after the other."""
        return [list(epochs) for _, epochs in groupby(self.history, lambda epoch: epoch.get("fold"))]

    @property
    def valid_classes(self) -> np.ndarray | None:
        """(epochs, N), uint8 or int16: the predicted class of each validation image after each epoch.

        With folds of a COMPLETE trial alone, and by the net that was trained without the image, after its epochs.
        """
        return _array(self.folder / paths.VALID_CLASSES)

    @property
    def valid_logits(self) -> np.ndarray | None:
        """(N, classes) float32 at the best epoch; with folds by the net that was trained without the image."""
        return _array(self.folder / paths.VALID_LOGITS)

    @property
    def kept_logits(self) -> dict[int, np.ndarray]:
        """(N, classes) by epoch, the earliest first: the best one as in `valid_logits`, others as float16 logits.

        Which others there are says `trainable.metrics.kept`: none where the metric needs no probabilities.
        """
        files = paths.epoch_logits(self.folder)
        found = {epoch: read_array(path) for epoch, path in files.items() if epoch <= self.epochs}
        best = self.valid_logits
        return dict(sorted((found | ({} if best is None else {self.best_epoch: best})).items()))

    @property
    def valid_logits_tta(self) -> np.ndarray | None:
        """(N, classes) float32: log of the probabilities at the best epoch, averaged as in `analysis.estimates.views`.

        Made at a sweep's end, for trials whose weights are kept and that trained with some.
        """
        return _array(self.folder / paths.AVERAGED_LOGITS)

    @property
    def weights(self) -> Path | None:
        """The safetensors file of the best epoch, kept for the best trials."""
        path = self.folder / paths.WEIGHTS
        return path if path.exists() else None


def trial_record(trial: FrozenTrial, sweep: Path, is_in_folds: bool) -> TrialRecord:
    """Returns a trial as the ledger has it.

    Args:
      sweep: its folder.
      is_in_folds: a step of the trial is a fold, and no epoch.

    Raises:
      DamagedError: the ledger is not what a driver writes.
    """
    values = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    attributes = trial.user_attrs
    are_finite = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    for what, is_so in (
        ("has a value that is no finite number", not are_finite),
        ("waits, and no driver writes that", trial.state == TrialState.WAITING),
        ("has no config", not isinstance(attributes.get("config"), dict)),
    ):
        if is_so:
            way_out = f"see `{spelled('check')} {sweep}`"
            raise DamagedError(sweep, f"trial {trial.number} {what}", way_out)
    value = values[-1] if values and trial.state != TrialState.FAIL else None
    # Written before the end that they are of: a driver killed in between leaves them with a trial that goes on.
    has_reason = trial.state in (TrialState.PRUNED, TrialState.FAIL)
    return TrialRecord(
        number=trial.number,
        state=State(trial.state.name),
        reason=attributes.get("reason", "") if has_reason else "",
        message=attributes.get("message", "") if has_reason else "",
        value=value,
        best_epoch=1 + values.index(value) if value is not None and not is_in_folds else 0,
        epochs=len(values) * (attributes["config"].get("epochs", 0) if is_in_folds else 1),
        attempts=attributes.get("attempt", 0),
        baseline=attributes.get("baseline", ""),
        node=str(attributes.get("node", "")),
        ended_at=trial.datetime_complete,
        config=attributes["config"],
        params={shown_name(name): _shown(trial, name)[0] for name in trial.params},
        ranges={shown_name(name): _shown(trial, name)[1] for name in trial.params},
        folder=paths.trial_folder(sweep, trial.number),
        folds=len(values) if is_in_folds else 0,
        is_paused=is_paused(trial),
        note=str(attributes.get("note", "")),
    )


def shown_name(parameter: str) -> str:
    """Returns the name under which people see a parameter of the search."""
    return parameter.removesuffix(MULTIPLE)


def is_paused(trial: FrozenTrial) -> bool:
    """Returns whether a trial of the ledger waits at a rung, without a worker, for others to come there.

    No record says so: the first one of a trial has the `rungs` at which it may have to wait, and before it goes on from
    one, the ledger has that it `passed`.
    """
    rungs, passed = trial.user_attrs.get("rungs"), trial.user_attrs.get("passed")
    is_at_rung = isinstance(rungs, list) and trial.last_step in rungs and passed != trial.last_step
    return is_at_rung and not trial.state.is_finished()


def _shown(trial: FrozenTrial, parameter: str) -> tuple[Any, BaseDistribution]:
    """Returns a parameter's value and its range as people see them: those of the field itself for a multiple of it."""
    value, distribution = trial.params[parameter], trial.distributions[parameter]
    real = trial.user_attrs["config"].get(shown_name(parameter))
    if not parameter.endswith(MULTIPLE) or not isinstance(distribution, FloatDistribution) or real is None:
        return value, distribution
    reference = real / value
    return real, FloatDistribution(reference * distribution.low, reference * distribution.high, log=distribution.log)


def _array(path: Path) -> np.ndarray | None:
    return read_array(path) if path.exists() else None
