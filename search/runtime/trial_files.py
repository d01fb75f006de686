"""What stays of an ended trial in its folder `trials/NUMBER/`.

While a trial runs, its attempts' checkpoints hold everything. At its end the driver
takes out of the newest one what is kept, and after the ledger has the end it removes
the attempts. Killed in between, the next start does the same again.
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

KEPT_WEIGHTS = 10  # trials whose best weights stay, the leaderboard's, whatever kinds of model they are


def write_config(folder: Path, config: TrialConfig) -> None:
    make_folder(folder)
    save_bytes(folder / paths.CONFIG, config.to_json().encode())


def keep(folder: Path, up_to_attempt: int, epochs: int, with_weights: bool) -> bool:
    """Writes what is kept of a trial that counts `epochs` epochs; False where no whole checkpoint reaches so far.

    `history.json`: a list of `EpochMetrics` as objects. `valid_classes.npy`: (epochs, N)
    uint8 or int16. `valid_logits.npy`: (N, classes) float32 of the best epoch. `best.safetensors`,
    where wanted: the weights of the best epoch. `valid_logits-EPOCH.npy`: (N, classes) float16 of other epochs, as
    `trainable.metrics.kept` says.
    """
    from sweep.storage.tensors import save_weights  # torch: 2 s that must not hold up the first trial
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
    make_folder(folder)
    save_bytes(folder / paths.HISTORY, json.dumps([metrics.to_dict() for metrics in history]).encode())


def written_report(folder: Path, attempt: int) -> Report:
    """Returns what an attempt has put on the disk: its result, else the epochs of the newest whole checkpoint."""
    if (result := read_result(paths.attempt_folder(folder, attempt) / paths.RESULT, attempt)) is not None:
        return result
    from sweep.trainable.checkpoint import CheckpointError, read_checkpoint  # torch

    for path in paths.newest_checkpoints(folder, attempt):
        with suppress(CheckpointError):
            return Report(attempt, read_checkpoint(path).history)
    return Report(attempt, [])


def read_result(path: Path, attempt: int) -> Report | None:
    """Returns the report that a worker left behind; None where there is none, or none that can be trusted."""
    try:
        report = Report.from_json(read_json(path))
    except (FileNotFoundError, ValueError):
        return None
    return report if report.attempt == attempt else None


def write_log(folder: Path, text: str) -> None:
    """The traceback of a trial that failed by an error."""
    make_folder(folder)
    save_bytes(folder / paths.LOG, utf8(text))


def remove_superseded(folder: Path, next_attempt: int) -> None:
    """Leaves the attempts before `next_attempt` no more than the checkpoints and finished folds it may go on from.

    Each attempt writes into a folder of its own, so that without this a trial that is
    interrupted again and again would fill the disk.
    """
    if next_attempt > 1:
        store_of(folder).fetch(folder)
    kept = paths.newest_checkpoints(folder, next_attempt - 1)[:KEPT_CHECKPOINTS]
    kept += [path for places in paths.finished_folds(folder, next_attempt - 1).values() for path in places]
    for attempt in (paths.attempt_folder(folder, k) for k in range(1, next_attempt)):
        with suppress(OSError):  # a worker thought dead may be writing into it
            if not any(path.parent == attempt for path in kept):
                remove(attempt)
            for path in attempt.glob("checkpoint-*"):
                if path not in kept:
                    remove(path)


def remove_attempts(folder: Path) -> None:
    if folder.is_symlink():  # what it leads to is not the sweep's
        return
    for attempt in paths.attempts(folder):
        with suppress(OSError):  # a worker thought dead may be writing into it: the next start removes it
            remove(attempt)


class Ranked(NamedTuple):
    """A COMPLETE trial among others: the lower, the better.

    Attributes:
      kind: of model, `trainable.models.kind_of`.
    """

    rank: float
    number: int
    kind: str

    @staticmethod
    def of(trial: FrozenTrial, value: float, sign: int) -> "Ranked":
        return Ranked(-sign * value, trial.number, kind_of(trial.user_attrs["config"]))


def with_weights(trials: Iterable[Ranked], of_kind: int) -> list[Ranked]:
    """Returns those whose weights stay, in order: the best of all, and the best of each kind of model.

    Args:
      of_kind: so many of each, `analysis.estimates.ensembles.contract.Ensembles`.
    """
    kinds, found = Counter[str](), []
    for place, trial in enumerate(sorted(trials)):
        kinds[trial.kind] += 1
        if place < KEPT_WEIGHTS or kinds[trial.kind] <= of_kind:
            found.append(trial)
    return found


class BestWeights:
    """Knows which COMPLETE trials keep their weights, and removes those of all others.

    Args:
      folder: of the sweep.
      of_kind: as `with_weights` takes it.
    """

    def __init__(self, folder: Path, metric: str, of_kind: int) -> None:
        self.folder, self.sign, self.of_kind = folder, named(metric).sign, of_kind
        self.best: list[Ranked] = []  # those whose weights are kept; none that was left out comes in again

    def recover(self, ended: list[FrozenTrial]) -> None:
        """Begins with the trials that have ended."""
        complete = [
            Ranked.of(trial, trial.value, self.sign)
            for trial in ended
            if trial.state == TrialState.COMPLETE and trial.value is not None
        ]
        self.best = with_weights(complete, self.of_kind)
        self._remove({trial.number for trial in ended} - {trial.number for trial in self.best})

    def would_stay(self, trial: FrozenTrial, value: float) -> bool:
        ranked = Ranked.of(trial, value, self.sign)
        return ranked in with_weights([*self.best, ranked], self.of_kind)

    def add(self, trial: FrozenTrial, value: float) -> None:
        """Takes in a trial that is COMPLETE."""
        every = [*self.best, Ranked.of(trial, value, self.sign)]
        self.best = with_weights(every, self.of_kind)
        self._remove(trial.number for trial in every if trial not in self.best)

    def _remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            folder = paths.trial_folder(self.folder, number)
            if (folder / paths.WEIGHTS).exists() and not folder.is_symlink():
                remove(folder / paths.WEIGHTS)
