"""Everything that is made out of a sweep's trials, written at its end."""

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
from sweep.datasets.submission.kept import read_kept
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import save_array
from sweep.storage.states import State
from sweep.trainable.config import TrialConfig


def write_results(record: Record, data: Dataset | None) -> list[Path]:
    """Writes the report, the tables, `best/`, `predictions.csv` and `test_probabilities.csv`.

    The same trials give the same bytes. Nothing of the last three where no trial is COMPLETE, and no predictions
    without `data` or its test split. The predictions are those of what the corrected estimate says is best; a test
    split with labels is scored with them once all trials have ended, beside the best single model and the best head.

    Returns:
      what a person will look for, in the order of writing.

    Raises:
      DamagedError: the tables cannot be made; the report is written.
      SweepError, PredictionError: `best/` or the predictions cannot be made; all before them is written.
    """
    if data is not None:
        write_averaged(record, data)
    written = [write_report(record)]  # first: it comes whatever is damaged of single trials
    write_tables(record)
    written.append(record.folder / paths.TRIALS_CSV)
    write_events(record)
    if write_best(record) is not None:
        written.append(record.folder / paths.BEST)
        if record.settings.folds and (members := out_of_fold.chosen(record)):
            written.append(out_of_fold.write_out_of_fold(record, members))
        if data is not None and data.test is not None:
            out = record.folder / paths.PREDICTIONS
            model, labels = predictor.chosen(record), data.test.labels
            compared = predictor.rivals(record, model) if is_scored(labels, record) else []
            shares, *of_rivals = predictor.probabilities([model, *compared], data.test.images)
            write_test_predictions(model, data.test, read_kept(record.folder, data.test.ids), out, shares)
            written.append(out)
            if is_scored(labels, record):
                others = {rival.label: rival.scored(found) for rival, found in zip(compared, of_rivals, strict=True)}
                held_out.write(record, held_out.measured(record, model.label, labels, model.scored(shares), others))
                write_report(record)  # once more, with the score
    return written


def is_scored(labels: np.ndarray | None, record: Record) -> TypeGuard[np.ndarray]:
    """Says whether the test split is scored now; labels that are all the same are no labels, but filled in."""
    ended = sum(trial.state != State.RUNNING for trial in record.trials)
    is_over = ended == len(record.trials) >= record.wanted
    return is_over and record.metric.is_measured and labels is not None and len(np.unique(labels)) > 1


def write_averaged(record: Record, data: Dataset) -> None:
    """Writes `valid_logits_tta.npy` of each trial whose weights are kept, that trained with flips and has none yet."""
    nets: dict[Path, tuple[Trained, ...]] = {}
    for trial in record.trials:
        path = trial.folder / paths.AVERAGED_LOGITS
        if trial.state != State.COMPLETE or trial.weights is None or path.exists():
            continue
        if list(views(TrialConfig.from_dict(trial.config), data.image_size)) == [()]:
            continue
        with suppress(SweepError):  # said by the best trial's own, and by search.check; the others go without
            nets[path] = trained(record, trial).nets
    found = {path: np.empty((len(data.valid.truth), len(record.classes)), np.float32) for path in nets}
    for number, (rows, images) in enumerate(_judged(data)):
        asked: dict[Path, Answering] = {}
        for path, of_trial in nets.items():
            try:
                asked[path] = of_trial[number].answering(images, True, asked.values())
            except SweepError:
                found.pop(path, None)
        if asked:
            for path, batches in zip(asked, zip(*by_batch(list(asked.values()), images), strict=True), strict=True):
                if path in found:
                    found[path][rows] = np.concatenate(batches)
    for path, logits in found.items():
        save_array(path, logits)


def _judged(data: Dataset) -> list[tuple[np.ndarray | slice, Pixels]]:
    """Returns which images each net of a trial is judged by, and their pixels; none of them has it seen in training."""
    if data.folds is None:
        return [(slice(None), data.valid.images)]
    rows = [np.flatnonzero(data.folds == fold) for fold in np.unique(data.folds)]
    return [(some, ChosenPixels(data.valid.images, some)) for some in rows]
