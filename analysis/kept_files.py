"""Checks that the files kept of a trial can be read and fit the images, classes and epochs of the sweep."""

import numpy as np

from sweep.analysis.trial_record import TrialRecord
from sweep.storage import paths
from sweep.storage.files import DamagedError, read_array
from sweep.storage.states import State
from sweep.storage.text import counted
from sweep.trainable.metrics.contract import Metric
from sweep.trainable.metrics.history import class_dtype


def check_kept(trial: TrialRecord, metric: Metric, images: int, classes: int) -> None:
    """Checks the files that were kept of a trial in its folder; those of a RUNNING trial do not count yet.

    Args:
      trial: the trial.
      metric: the metric of the sweep.
      images: how many validation images there are, or with folds how many images are divided.
      classes: how many classes there are.

    Raises:
      DamagedError: a file cannot be read, or its content has the wrong shape, type or values.
    """
    if trial.state == State.RUNNING:
        return
    if any(metric.field not in epoch for epoch in trial.history):  # reading the history raises too if it is damaged
        raise DamagedError(trial.folder / paths.HISTORY, f"each epoch must have a {metric.field}")
    answers, logits, averaged_logits = trial.valid_classes, trial.valid_logits, trial.valid_logits_tta
    if answers is not None and (
        answers.dtype != class_dtype(classes) or answers.ndim != 2 or answers.shape[1] != images
        or len(answers) < trial.epochs // max(1, trial.folds)
        or answers.max(initial=0) >= classes or answers.min(initial=0) < 0
    ):  # fmt: skip
        raise DamagedError(
            trial.folder / paths.VALID_CLASSES, f"must be {counted(images, 'class', 'classes')} each epoch"
        )
    arrays = {trial.folder / paths.VALID_LOGITS: logits, trial.folder / paths.AVERAGED_LOGITS: averaged_logits}
    arrays |= {path: read_array(path) for path in paths.epoch_logits(trial.folder).values()}
    for path, array in arrays.items():
        if array is not None and (array.shape != (images, classes) or not np.isfinite(array).all()):
            raise DamagedError(path, f"must be {images} x {classes} finite numbers")
