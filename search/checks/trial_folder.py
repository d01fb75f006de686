"""Checks the files in a trial's folder against what the ledger says of the trial."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from sweep.search.checks.backup import move_away
from sweep.search.checks.findings import Inspection, T, hold
from sweep.search.checks.mending import has_no_config
from sweep.search.runtime.trial_files import write_config
from sweep.storage import paths
from sweep.storage.files import DamagedError, read_array, read_json
from sweep.storage.sweep_file import SweepFile
from sweep.storage.tensors import check_weights
from sweep.storage.text import counted
from sweep.trainable.checkpoint import read_checkpoint
from sweep.trainable.config import TrialConfig
from sweep.trainable.metrics import named
from sweep.trainable.metrics.history import EpochMetrics, by_fold, class_dtype, read_history

NAMES = {paths.CONFIG, paths.LOG}  # files in a trial's folder besides its attempts and the kept results
LOSSES = {
    paths.HISTORY: "its epochs, for curves and tables; its value stays",
    paths.VALID_CLASSES: "the classes it predicted after each epoch",
    paths.VALID_LOGITS: "its predictions at its best epoch",
}
LOST_EPOCH = "its predictions at that epoch, by which the choice of the best one is corrected"


@dataclass
class TrialFiles:
    """The files in the folder of one trial.

    Attributes:
      inspection: collects the findings.
      trial: the trial as it must be.
      file: the content of the sweep's `sweep.json`.
      labels: the labels of the validation images; None if they are lost.
      image_folds: (N,) the fold of each of these images, from 0; None without folds, or if they are lost.
    """

    inspection: Inspection
    trial: FrozenTrial
    file: SweepFile
    labels: np.ndarray | None = None
    image_folds: np.ndarray | None = None

    @property
    def folder(self) -> Path:
        """The folder of the trial."""
        return paths.trial_folder(self.inspection.folder, self.trial.number)

    def check(self) -> None:
        """Checks all files in the folder and adds what is wrong to the inspection."""
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            rule = "must be a folder of this sweep"
            self.inspection.note(self.folder, "a link or a file", "moved away", move_away(self.folder), rule)
            return
        entries = sorted(self.folder.iterdir()) if self.folder.exists() else []
        if has_no_config(self.trial):
            self.inspection.foreign += entries
            return
        self._check_config()
        if (state := self.trial.state).is_finished():
            has_checkpoint = state != TrialState.FAIL  # a FAIL may have ended before its first checkpoint
            has_classes = state == TrialState.COMPLETE if self.folds else has_checkpoint
            history = self._read(paths.HISTORY, has_checkpoint, self._history)
            classes = self._read(paths.VALID_CLASSES, has_classes, lambda path: self._classes(path, history))
            self._read(
                paths.VALID_LOGITS, state == TrialState.COMPLETE, lambda path: self._logits(path, classes, history)
            )
            for epoch, path in sorted(paths.epoch_logits(self.folder).items()):
                do_without = partial(self.inspection.do_without, loss=LOST_EPOCH)
                self.inspection.read(path, partial(self._epoch_logits, epoch, classes), do_without, is_needed=False)
            path = self.folder / paths.AVERAGED_LOGITS  # only some trials have this file, from the end of the sweep
            way_out = "moved away, and made anew with the next results"
            note = partial(self.inspection.note_damage, way_out=way_out, mend=move_away(path))
            self.inspection.read(path, self._finite_logits, note, is_needed=False)
        for path in entries:
            if path.name.endswith(".partial") and _is_ours(path.name.removesuffix(".partial")):
                self.inspection.note_left_over(path, "a write that did not finish")
            elif path.name.startswith("attempt-"):
                self._check_attempt(path)
            elif not _is_ours(path.name):
                self.inspection.foreign.append(path)

    @property
    def folds(self) -> int | None:
        """The number of folds; None if a trial trains one net."""
        return self.file.settings.folds

    @property
    def best_epoch(self) -> int:
        """The best epoch of the trial's net; 0 with folds, where each net has its own."""
        return 0 if self.folds else named(self.file.settings.metric).best_epoch(self._values)

    @property
    def _values(self) -> list[float]:
        return [value for _, value in sorted(self.trial.intermediate_values.items())]

    def wrong_weights(self, path: Path) -> DamagedError | None:
        """Returns the error that keeps a file from being the trial's best weights; None if there is none."""
        config, errors = self.trial.user_attrs["config"], list[DamagedError]()
        self.inspection.read(path, lambda path: check_weights(path, config, self.best_epoch), errors.append)
        return errors[0] if errors else None

    def _check_config(self) -> None:
        path, config = self.folder / paths.CONFIG, self.trial.user_attrs["config"]

        def check(path: Path) -> None:
            if read_json(path) != config:
                raise DamagedError(path, "must be the config in the ledger")

        mend = move_away(path, lambda: write_config(self.folder, TrialConfig.from_dict(config)))
        note = partial(self.inspection.note_damage, way_out="written anew from the ledger", mend=mend)
        self.inspection.read(path, check, note, is_needed=self.trial.state.is_finished())

    def _read(self, name: str, is_needed: bool, read: Callable[[Path], T]) -> T | None:
        """Returns the content of a file that is kept of a trial; None, and a finding, if it cannot be trusted."""
        do_without = partial(self.inspection.do_without, loss=LOSSES[name])
        return self.inspection.read(self.folder / name, read, do_without, is_needed)

    def _history(self, path: Path) -> list[EpochMetrics]:
        history, metric = read_history(read_json(path)), named(self.file.settings.metric)
        if metric.of_steps(history, self.trial.user_attrs["config"]["epochs"]) != self._values:
            raise DamagedError(path, "damaged: it does not have the values that are in the ledger")
        return history

    def _classes(self, path: Path, history: list[EpochMetrics] | None) -> np.ndarray:
        classes = read_array(path)
        epochs = self.trial.user_attrs["config"]["epochs"] if self.folds else len(self._values)
        images = classes.shape[-1:] if self.labels is None else self.labels.shape
        dtype = np.dtype(class_dtype(len(self.file.classes)))
        is_valid = classes.dtype == dtype and classes.shape == (epochs, *images)
        hold(path, is_valid, f"must be {dtype} {(epochs, *images)}", f"{classes.dtype} {classes.shape}")
        highest = int(classes.max(initial=0))
        hold(path, highest < len(self.file.classes), "must be classes of the sweep", highest)
        hold(path, int(classes.min(initial=0)) >= 0, "must be classes of the sweep", classes.min(initial=0))
        if history and self.labels is not None:
            for epochs_of_net, rows in self._nets(history):
                expected = [metrics.valid_accuracy for metrics in epochs_of_net]
                accuracies = (classes[:, rows] == self.labels[rows]).mean(axis=1)
                epoch = 1 + int(np.abs(accuracies - expected).argmax())
                rule = f"must be right as often as history.json says of epoch {epoch}, {expected[epoch - 1]:.4f}"
                is_equal = bool(np.allclose(accuracies, expected, rtol=0, atol=1e-9))
                hold(path, is_equal, rule, f"{accuracies[epoch - 1]:.4f}")
        return classes

    def _nets(self, history: list[EpochMetrics]) -> list[tuple[list[EpochMetrics], np.ndarray | slice]]:
        """Returns the epochs of each net and the images by which it was judged; empty if the folds are lost."""
        if not self.folds:
            return [(history, slice(None))]
        folds = self.image_folds
        nets = [] if folds is None else by_fold(history)
        return [(epochs, np.flatnonzero(folds == fold)) for fold, epochs in enumerate(nets)]

    def _logits(self, path: Path, classes: np.ndarray | None, history: list[EpochMetrics] | None) -> None:
        logits = self._finite_logits(path)
        if classes is None or not self._values or (self.folds and not history):
            return
        metric, answers = named(self.file.settings.metric), logits.argmax(axis=1)
        for epochs, images in self._nets(history or []):
            epoch = metric.best_epoch(metric.of_epochs(epochs)) if self.folds else self.best_epoch
            mismatches = int((answers[images] != classes[epoch - 1, images]).sum())
            rule = f"must be those of valid_classes.npy at epoch {epoch}"
            hold(path, mismatches == 0, rule, counted(mismatches, "other class", "other classes"))

    def _epoch_logits(self, epoch: int, classes: np.ndarray | None, path: Path) -> None:
        logits = self._finite_logits(path, np.float16)
        hold(path, 1 <= epoch <= len(self._values), f"must be of an epoch up to {len(self._values)}", epoch)
        if classes is not None:
            # Rounding may make two probabilities equal, but none may be larger than that of the predicted class.
            predicted_logits = logits[np.arange(len(logits)), classes[epoch - 1]]
            mismatches = int((predicted_logits != logits.max(axis=1)).sum())
            rule = f"must be those of valid_classes.npy at epoch {epoch}"
            hold(path, mismatches == 0, rule, counted(mismatches, "other class", "other classes"))

    def _finite_logits(self, path: Path, dtype: type = np.float32) -> np.ndarray:
        """Returns the logits in a file, (N, classes), after checking their type, shape and that all are finite."""
        logits = read_array(path)
        images = logits.shape[:1] if self.labels is None else self.labels.shape
        shape = *images, len(self.file.classes)
        name = np.dtype(dtype).name
        is_valid = logits.dtype == dtype and logits.shape == shape
        hold(path, is_valid, f"must be {name} {shape}", f"{logits.dtype} {logits.shape}")
        hold(path, bool(np.isfinite(logits).all()), "must be finite numbers", "others")
        return logits

    def _check_attempt(self, path: Path) -> None:
        if self.trial.state.is_finished():
            self.inspection.note_left_over(path, "an attempt of a trial that has ended")
        elif not paths.attempt_number(path):
            rule, actual = "must be the folder of an attempt", "a link, a file or a number that none has"
            self.inspection.note(path, actual, "moved away", move_away(path), rule)
        else:
            way_out = "the newest one that is whole is used; with none, the trial begins at its first epoch"
            note = partial(self.inspection.note_damage, way_out=way_out, is_problem=False)
            finished = sorted(path.glob("fold-*.safetensors"))
            for checkpoint in [*paths.checkpoints(path), *finished]:  # a running trial may be replacing one of them
                self.inspection.read(checkpoint, read_checkpoint, note, is_needed=False)


def _is_ours(name: str) -> bool:
    """Returns whether a trial's folder has a file of this name."""
    return name in NAMES or paths.is_kept(name)
