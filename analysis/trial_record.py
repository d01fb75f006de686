"""One trial of a sweep: what the ledger records about it, and the files that were kept in its folder."""

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
    """One trial as the ledger records it, with properties that read the files in its folder.

    Attributes:
      reason: why a trial was PRUNED or failed; empty otherwise.
      message: the reason in words for people; empty without a reason.
      value: the best value of the metric over the epochs that count; None before the first epoch and for a FAIL. With
        folds, the mean over the folds that count, each at its best epoch.
      best_epoch: the epoch of `value`, from 1; 0 where there is no value, and with folds, since each fold has its own.
      epochs: how many epochs count (for a pruned trial those up to its rung); with folds, those of all its nets.
      attempts: how many times the trial was given to a worker.
      baseline: the name of the published run or of the reference config that this trial is; empty otherwise.
      node: the node of the cluster on which the trial ran last; empty where it is not known.
      ended_at: when the trial ended, by the clock of the machine that ran the driver; None while it runs.
      config: the fields of its `TrialConfig` that are set. A trial that failed because the space had no config for it
        has only its seed.
      params: the values that the search chose, by the names of the space. Where the search chose a multiple of a
        reference value, this has the field itself with its value.
      ranges: the range from which each of `params` was chosen, in the same units.
      folder: the folder of the trial, whether it exists or not.
      folds: how many folds count; 0 in a sweep without folds.
      is_paused: whether the trial, RUNNING in the ledger, waits without a worker at a rung until others come there.
      note: what a person should know about how the trial was trained on its node; empty where there is nothing.
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
        """The kind of the trial's model, by `trainable.models.kind_of`; empty without a config."""
        return kind_of(self.config)

    @property
    def is_head(self) -> bool:
        """Whether the trial trains only a head, on the features of a frozen net."""
        return "backbone" in self.config

    @property
    def history(self) -> list[dict[str, float]]:
        """The epochs that count, each a dict with the fields of `trainable.metrics.history.EpochMetrics` that are set.

        It is empty where nothing was kept. With folds, the epochs of one fold follow those of another. For a RUNNING
        trial it is empty too: a file in its folder would be from an end that the ledger does not record.

        Raises:
          DamagedError: the file is damaged, or has fewer epochs than the ledger.
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
        """The words that say where the value was measured: `after epoch 12`, or with folds `over 5 folds`."""
        return f"over {counted(self.folds, 'fold')}" if self.folds else f"after epoch {self.best_epoch}"

    @property
    def nets(self) -> list[list[dict[str, float]]]:
        """The epochs that count, as in `history`, in one list for each net: one, or with folds one for each fold."""
        return [list(epochs) for _, epochs in groupby(self.history, lambda epoch: epoch.get("fold"))]

    @property
    def valid_classes(self) -> np.ndarray | None:
        """(epochs, N), uint8 or int16: the predicted class of each validation image after each epoch.

        None where the file was not kept. With folds, only COMPLETE trials have it, and each image is predicted by the
        net that was trained without it, after each of that net's epochs.
        """
        return _array(self.folder / paths.VALID_CLASSES)

    @property
    def valid_logits(self) -> np.ndarray | None:
        """(N, classes) float32: the logits of the validation images at the best epoch; None where they were not kept.

        With folds, each image is predicted by the net that was trained without it.
        """
        return _array(self.folder / paths.VALID_LOGITS)

    @property
    def kept_logits(self) -> dict[int, np.ndarray]:
        """(N, classes) logits by epoch, the earliest first; those of the best epoch are `valid_logits`, others float16.

        Which other epochs are kept is decided in `trainable.metrics.kept_epochs`: none where the metric needs no
        probabilities.
        """
        files = paths.epoch_logits(self.folder)
        logits = {epoch: read_array(path) for epoch, path in files.items() if epoch <= self.epochs}
        best = self.valid_logits
        return dict(sorted((logits | ({} if best is None else {self.best_epoch: best})).items()))

    @property
    def valid_logits_tta(self) -> np.ndarray | None:
        """(N, classes) float32: the logarithm of the mean probability over the views of an image, at the best epoch.

        It is written at the end of a sweep for COMPLETE trials whose weights are kept and whose training showed images
        in several views (`analysis.estimates.views`); None for other trials.
        """
        return _array(self.folder / paths.AVERAGED_LOGITS)

    @property
    def weights(self) -> Path | None:
        """The safetensors file with the weights of the best epoch, kept for the best trials; None for others."""
        path = self.folder / paths.WEIGHTS
        return path if path.exists() else None


def trial_record(trial: FrozenTrial, sweep: Path, is_in_folds: bool) -> TrialRecord:
    """Returns a trial of the ledger as a record.

    Args:
      trial: the trial as Optuna has it.
      sweep: the folder of the sweep.
      is_in_folds: whether each intermediate value of the trial belongs to a fold rather than to an epoch.

    Raises:
      DamagedError: the trial in the ledger is not one that a driver writes.
    """
    values = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    attributes = trial.user_attrs
    are_finite = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    for problem, is_so in (
        ("has a value that is no finite number", not are_finite),
        ("waits, and no driver writes that", trial.state == TrialState.WAITING),
        ("has no config", not isinstance(attributes.get("config"), dict)),
    ):
        if is_so:
            way_out = f"see `{spelled('check')} {sweep}`"
            raise DamagedError(sweep, f"trial {trial.number} {problem}", way_out)
    value = values[-1] if values and trial.state != TrialState.FAIL else None
    # A driver writes reason and message before the state. If it is killed in between, the trial continues later, and
    # they are not true of it.
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
        params={shown_name(name): _value_and_range(trial, name)[0] for name in trial.params},
        ranges={shown_name(name): _value_and_range(trial, name)[1] for name in trial.params},
        folder=paths.trial_folder(sweep, trial.number),
        folds=len(values) if is_in_folds else 0,
        is_paused=is_paused(trial),
        note=str(attributes.get("note", "")),
    )


def shown_name(parameter: str) -> str:
    """Returns the name under which people see a parameter of the search: `lr` for a multiple of a reference `lr`."""
    return parameter.removesuffix(MULTIPLE)


def is_paused(trial: FrozenTrial) -> bool:
    """Returns whether a trial of the ledger waits without a worker at a rung until other trials come there.

    No record says so directly. The attribute `rungs` lists the epochs at which a trial may have to wait, and the
    attribute `passed` is set to such an epoch before the trial continues from it.
    """
    rungs, passed = trial.user_attrs.get("rungs"), trial.user_attrs.get("passed")
    is_at_rung = isinstance(rungs, list) and trial.last_step in rungs and passed != trial.last_step
    return is_at_rung and not trial.state.is_finished()


def _value_and_range(trial: FrozenTrial, parameter: str) -> tuple[Any, BaseDistribution]:
    """Returns the value and range of a parameter as people see them.

    Where the search chose a multiple of a reference value, these are the value and range of the field itself.
    """
    value, distribution = trial.params[parameter], trial.distributions[parameter]
    real = trial.user_attrs["config"].get(shown_name(parameter))
    if not parameter.endswith(MULTIPLE) or not isinstance(distribution, FloatDistribution) or real is None:
        return value, distribution
    reference = real / value
    return real, FloatDistribution(reference * distribution.low, reference * distribution.high, log=distribution.log)


def _array(path: Path) -> np.ndarray | None:
    return read_array(path) if path.exists() else None
