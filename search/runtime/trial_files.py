"""Writes what is kept of an ended trial, into its folder `trials/NUMBER/`.

While a trial runs, the checkpoints of its attempts hold everything. When it ends, the driver extracts what is kept
from the newest checkpoint; after the ledger has recorded the end, it removes the attempts. If the driver is killed in
between, the next start repeats this.
"""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from sweep.storage import paths
from sweep.storage.files import make_folder, read_json, remove, save_array, save_bytes, utf8
from sweep.storage.store import store_of
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics import named
from sweep.trainable.metrics.history import EpochMetrics
from sweep.trainable.models import kind_of
from sweep.trainable.worker.order import KEPT_CHECKPOINTS
from sweep.trainable.worker.report import Report

KEPT_WEIGHTS = 10  # so many of the best trials keep their weights, whatever kinds of model they are


def write_config(folder: Path, config: TrialConfig) -> None:
    """Writes the config of a trial, and makes its folder."""
    make_folder(folder)
    save_bytes(folder / paths.CONFIG, config.to_json().encode())


def keep(folder: Path, up_to_attempt: int, epochs: int, with_weights: bool) -> bool:
    """Writes what is kept of a trial that counts `epochs` epochs; returns False if no whole checkpoint has them.

    The files are `history.json`, a list of `EpochMetrics` as objects; `valid_classes.npy`, (epochs, N) uint8 or int16;
    `valid_logits.npy`, (N, classes) float32 of the best epoch; `best.safetensors`, if `with_weights`, the weights of
    the best epoch; and `valid_logits-EPOCH.npy`, (N, classes) float16 of other epochs, as chosen by
    `trainable.metrics.kept_epochs`.
    """
    from sweep.storage.tensors import save_weights  # imports torch, which takes 2 s and must not delay the first trial
    from sweep.trainable.checkpoint import CheckpointError, read_checkpoint

    store_of(folder).fetch(folder)
    for path in paths.newest_checkpoints(folder, up_to_attempt):
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError:
            continue
        if len(checkpoint.history) < epochs:
            continue
        write_history(folder, checkpoint.history[:epochs])
        save_array(folder / paths.VALID_CLASSES, checkpoint.valid_classes[:epochs])
        for epoch, logits in checkpoint.kept.items():
            if epoch <= epochs:
                save_array(paths.epoch_logits_path(folder, epoch), logits)
        if checkpoint.best_epoch <= epochs:
            save_array(folder / paths.VALID_LOGITS, checkpoint.valid_logits)
            if with_weights:
                save_weights(folder / paths.WEIGHTS, checkpoint.best, checkpoint.config, checkpoint.best_epoch)
        return True
    return False


def write_history(folder: Path, history: list[EpochMetrics]) -> None:
    """Writes the metrics of all epochs as a JSON list."""
    make_folder(folder)
    save_bytes(folder / paths.HISTORY, json.dumps([metrics.to_dict() for metrics in history]).encode())


def written_report(folder: Path, attempt: int) -> Report:
    """Returns what an attempt has written: its result, or else the epochs of the newest whole checkpoint."""
    if (result := read_result(paths.attempt_folder(folder, attempt) / paths.RESULT, attempt)) is not None:
        return result
    from sweep.trainable.checkpoint import CheckpointError, read_checkpoint  # imports torch

    for path in paths.newest_checkpoints(folder, attempt):
        with suppress(CheckpointError):
            return Report(attempt, read_checkpoint(path).history)
    return Report(attempt, [])


def read_result(path: Path, attempt: int) -> Report | None:
    """Returns the report that a worker left behind; None if there is none, or none that can be trusted."""
    try:
        report = Report.from_json(read_json(path))
    except (FileNotFoundError, ValueError):
        return None
    return report if report.attempt == attempt else None


def write_log(folder: Path, text: str) -> None:
    """Writes the traceback of a trial that failed because of an error."""
    make_folder(folder)
    save_bytes(folder / paths.LOG, utf8(text))


def remove_superseded(folder: Path, next_attempt: int) -> None:
    """Removes from earlier attempts everything but the checkpoints and finished folds from which the next may continue.

    Each attempt writes into a folder of its own; without this, a trial that is interrupted again and again would fill
    the disk.
    """
    if next_attempt > 1:
        store_of(folder).fetch(folder)
    kept_files = paths.newest_checkpoints(folder, next_attempt - 1)[:KEPT_CHECKPOINTS]
    kept_files += [path for places in paths.finished_folds(folder, next_attempt - 1).values() for path in places]
    for attempt in (paths.attempt_folder(folder, k) for k in range(1, next_attempt)):
        with suppress(OSError):  # a worker that seemed dead may still write into it
            if not any(path.parent == attempt for path in kept_files):
                remove(attempt)
            for path in attempt.glob("checkpoint-*"):
                if path not in kept_files:
                    remove(path)


def remove_attempts(folder: Path) -> None:
    """Removes the folders of all attempts of a trial."""
    if folder.is_symlink():  # its target does not belong to the sweep
        return
    for attempt in paths.attempts(folder):
        with suppress(OSError):  # a worker that seemed dead may still write into it; the next start removes it
            remove(attempt)


class Ranked(NamedTuple):
    """A COMPLETE trial in a ranking, in which lower ones are better.

    Attributes:
      rank: the value, with a sign that makes a lower one better.
      number: the trial's number, which decides between equal values.
      kind: the kind of model, by `trainable.models.kind_of`.
    """

    rank: float
    number: int
    kind: str

    @staticmethod
    def from_trial(trial: FrozenTrial, value: float, sign: int) -> "Ranked":
        """Returns the place of a trial in the ranking.

        Args:
          sign: 1 if a greater value is better, -1 if a smaller one is.
        """
        return Ranked(-sign * value, trial.number, kind_of(trial.user_attrs["config"]))


def with_weights(trials: Iterable[Ranked], of_kind: int) -> list[Ranked]:
    """Returns the trials that keep their weights, in order: the best of all, and the best of each kind of model.

    Args:
      of_kind: how many trials of each kind keep them; see `analysis.estimates.ensembles.contract.Ensembles`.
    """
    kinds, kept_trials = Counter[str](), []
    for place, trial in enumerate(sorted(trials)):
        kinds[trial.kind] += 1
        if place < KEPT_WEIGHTS or kinds[trial.kind] <= of_kind:
            kept_trials.append(trial)
    return kept_trials


class BestWeights:
    """Decides which COMPLETE trials keep their weights, and removes those of all others.

    Args:
      folder: the folder of the sweep.
      of_kind: how many trials of each kind keep their weights, as in `with_weights`.
    """

    def __init__(self, folder: Path, metric: str, of_kind: int) -> None:
        self.folder, self.sign, self.of_kind = folder, named(metric).sign, of_kind
        self.best: list[Ranked] = []  # trials that keep their weights; one that was left out never returns

    def recover(self, ended_trials: list[FrozenTrial]) -> None:
        """Starts from the trials that have ended before."""
        complete = [
            Ranked.from_trial(trial, trial.value, self.sign)
            for trial in ended_trials
            if trial.state == TrialState.COMPLETE and trial.value is not None
        ]
        self.best = with_weights(complete, self.of_kind)
        self._remove({trial.number for trial in ended_trials} - {trial.number for trial in self.best})

    def would_stay(self, trial: FrozenTrial, value: float) -> bool:
        """Returns whether a trial with this value would keep its weights."""
        ranked = Ranked.from_trial(trial, value, self.sign)
        return ranked in with_weights([*self.best, ranked], self.of_kind)

    def add(self, trial: FrozenTrial, value: float) -> None:
        """Takes in a trial that is COMPLETE."""
        candidates = [*self.best, Ranked.from_trial(trial, value, self.sign)]
        self.best = with_weights(candidates, self.of_kind)
        self._remove(trial.number for trial in candidates if trial not in self.best)

    def _remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            folder = paths.trial_folder(self.folder, number)
            if (folder / paths.WEIGHTS).exists() and not folder.is_symlink():
                remove(folder / paths.WEIGHTS)
