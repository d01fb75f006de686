"""Writes everything that is made from a sweep's trials, at the end of the sweep."""

from contextlib import suppress
from pathlib import Path
from typing import TypeGuard

import numpy as np

from sweep.analysis.estimates import held_out
from sweep.analysis.estimates.views import Answering, by_batch, views
from sweep.analysis.outputs import out_of_fold, predictor
from sweep.analysis.outputs.best import write_best
from sweep.analysis.outputs.predict import write_test_predictions
from sweep.analysis.outputs.tables import write_tables
from sweep.analysis.outputs.tensorboard import write_events
from sweep.analysis.outputs.trained import Trained, trained
from sweep.analysis.record import Record
from sweep.analysis.report.page import write_report
from sweep.datasets.pixels import Pixels
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.pixels.rows import ChosenPixels
from sweep.datasets.submission.stored import read_kept
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import save_array
from sweep.storage.states import State
from sweep.trainable.config import TrialConfig


def write_results(record: Record, data: Dataset | None) -> list[Path]:
    """Writes the report, the tables, the event files, `best/` and the predictions with their probabilities.

    The same trials give the same bytes. If no trial is COMPLETE, `best/` and the predictions are not written. Neither
    are the predictions without `data` or without a test split in it. The test images are predicted by whatever is best
    by the corrected estimate. If they have labels, the predictions are scored once all trials have ended, together
    with those of the best single model and of the best head.

    Args:
      record: the sweep.
      data: the sweep's data; None if it is not available.

    Returns:
      The paths that are shown to a person, in the order of writing.

    Raises:
      DamagedError: the tables cannot be made; the report is written.
      SweepError, PredictionError: `best/` or the predictions cannot be made; everything before them is written.
    """
    if data is not None:
        write_averaged(record, data)
    outputs = [write_report(record)]  # first, because damaged trials cannot prevent it
    write_tables(record)
    outputs.append(record.folder / paths.TRIALS_CSV)
    write_events(record)
    if write_best(record) is not None:
        outputs.append(record.folder / paths.BEST)
        if record.settings.folds and (members := out_of_fold.chosen(record)):
            outputs.append(out_of_fold.write_out_of_fold(record, members))
        if data is not None and data.test is not None:
            out = record.folder / paths.PREDICTIONS
            model, labels = predictor.chosen(record), data.test.labels
            rivals = predictor.rivals(record, model) if is_scored(labels, record) else []
            shares, *rival_shares = predictor.probabilities([model, *rivals], data.test.images)
            write_test_predictions(model, data.test, read_kept(record.folder, data.test.ids), out, shares)
            outputs.append(out)
            if is_scored(labels, record):
                scored_rivals = {
                    rival.label: rival.scored(each) for rival, each in zip(rivals, rival_shares, strict=True)
                }
                held_out.write(
                    record, held_out.measured(record, model.label, labels, model.scored(shares), scored_rivals)
                )
                write_report(record)  # again, now with the score
    return outputs


def is_scored(labels: np.ndarray | None, record: Record) -> TypeGuard[np.ndarray]:
    """Returns whether the test split is scored now: it has labels, and all trials have ended.

    Labels that are all the same do not count, because they were probably filled in as placeholders.
    """
    ended = sum(trial.state != State.RUNNING for trial in record.trials)
    is_over = ended == len(record.trials) >= record.trials_wanted
    return is_over and record.metric.is_measured and labels is not None and len(np.unique(labels)) > 1


def write_averaged(record: Record, data: Dataset) -> None:
    """Writes `valid_logits_tta.npy` for each trial that lacks it, if its weights are kept and it trained with flips."""
    nets: dict[Path, tuple[Trained, ...]] = {}
    for trial in record.trials:
        path = trial.folder / paths.AVERAGED_LOGITS
        if trial.state != State.COMPLETE or trial.weights is None or path.exists():
            continue
        if list(views(TrialConfig.from_dict(trial.config), data.image_size)) == [()]:
            continue
        with suppress(SweepError):  # write_best and search.check report damage; here it only costs the file
            nets[path] = trained(record, trial).nets
    arrays = {path: np.empty((len(data.valid.truth), len(record.classes)), np.float32) for path in nets}
    for number, (rows, images) in enumerate(_judging_images(data)):
        answering_nets: dict[Path, Answering] = {}
        for path, trial_nets in nets.items():
            try:
                answering_nets[path] = trial_nets[number].answering(images, True, answering_nets.values())
            except SweepError:
                arrays.pop(path, None)
        if answering_nets:
            for path, batches in zip(
                answering_nets, zip(*by_batch(list(answering_nets.values()), images), strict=True), strict=True
            ):
                if path in arrays:
                    arrays[path][rows] = np.concatenate(batches)
    for path, logits in arrays.items():
        save_array(path, logits)


def _judging_images(data: Dataset) -> list[tuple[np.ndarray | slice, Pixels]]:
    """Returns, for each net of a trial, the rows and pixels of the images by which it is judged.

    The net has seen none of these images in training.
    """
    if data.folds is None:
        return [(slice(None), data.valid.images)]
    rows = [np.flatnonzero(data.folds == fold) for fold in np.unique(data.folds)]
    return [(fold_rows, ChosenPixels(data.valid.images, fold_rows)) for fold_rows in rows]
