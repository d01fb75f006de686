"""What stays of an ended trial in its folder `trials/NUMBER/`.

While a trial runs, its attempts' checkpoints hold everything. At its end the driver
takes out of the newest one what is kept, and after the ledger has the end it removes
the attempts. Killed in between, the next start does the same again.
"""

import json
from bisect import bisect, insort
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from storage import paths
from storage.files import make_folder, read_json, remove, save_array, save_bytes, utf8
from storage.store import store_of
from trainable.config import TrialConfig
from trainable.metrics import named
from trainable.metrics.history import EpochMetrics
from trainable.worker.order import KEPT_CHECKPOINTS
from trainable.worker.report import Report

KEPT_WEIGHTS = 10  # trials whose best weights stay: the leaderboard's


def write_config(folder: Path, config: TrialConfig) -> None:
    make_folder(folder)
    save_bytes(folder / paths.CONFIG, config.to_json().encode())


def keep(folder: Path, up_to_attempt: int, epochs: int, with_weights: bool) -> bool:
    """Writes what is kept of a trial that counts `epochs` epochs; False where no whole checkpoint reaches so far.

    `history.json`: a list of `EpochMetrics` as objects. `valid_classes.npy`: (epochs, N)
    uint8 or int16. `valid_logits.npy`: (N, classes) float32 of the best epoch. `best.safetensors`,
    where wanted: the weights of the best epoch.
    """
    from storage.tensors import save_weights  # torch: 2 s that must not hold up the first trial
    from trainable.state import CheckpointError, read_checkpoint

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
    from trainable.state import CheckpointError, read_checkpoint  # torch

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
    """Leaves the attempts before `next_attempt` no more than the checkpoints it may go on from.

    Each attempt writes into a folder of its own, so that without this a trial that is
    interrupted again and again would fill the disk.
    """
    if next_attempt > 1:
        store_of(folder).fetch(folder)
    kept = paths.newest_checkpoints(folder, next_attempt - 1)[:KEPT_CHECKPOINTS]
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


class BestWeights:
    """Knows which COMPLETE trials are the best, and removes the weights of all others.

    Args:
      folder: of the sweep.
    """

    def __init__(self, folder: Path, metric: str) -> None:
        self.folder, self.sign = folder, named(metric).sign
        self.best: list[tuple[float, int]] = []  # by `_rank`, in order

    def recover(self, ended: list[FrozenTrial]) -> None:
        """Begins with the trials that have ended."""
        complete = {t.number: t.value for t in ended if t.state == TrialState.COMPLETE and t.value is not None}
        self.best = sorted({self._rank(*each) for each in complete.items()})[:KEPT_WEIGHTS]
        self._remove({trial.number for trial in ended} - {number for _, number in self.best})

    def would_stay(self, number: int, value: float) -> bool:
        return bisect(self.best, self._rank(number, value)) < KEPT_WEIGHTS

    def add(self, number: int, value: float) -> None:
        """Takes in a trial that is COMPLETE."""
        insort(self.best, self._rank(number, value))
        self._remove(number for _, number in self.best[KEPT_WEIGHTS:])
        del self.best[KEPT_WEIGHTS:]

    def _rank(self, number: int, value: float) -> tuple[float, int]:
        """Of a COMPLETE trial: the lower, the better."""
        return (-self.sign * value, number)

    def _remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            folder = paths.trial_folder(self.folder, number)
            if (folder / paths.WEIGHTS).exists() and not folder.is_symlink():
                remove(folder / paths.WEIGHTS)
