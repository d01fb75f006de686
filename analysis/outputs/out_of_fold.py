"""Writes `oof.csv`: predictions for each labelled image, by nets that were trained without it and without its group."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweep.analysis.estimates.adjustments.contract import Fitted
from sweep.analysis.estimates.adjustments.out_of_fold import scaled
from sweep.analysis.estimates.choice import choose
from sweep.analysis.estimates.scores import scores_of_images
from sweep.analysis.outputs.probability_table import probability_table
from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import save_bytes
from sweep.storage.programs import spelled
from sweep.storage.states import State
from sweep.storage.text import counted
from sweep.trainable.metrics.contract import softmax

SMALLEST = 1e-30  # the least probability, so that its logarithm is finite


@dataclass(frozen=True)
class Members:
    """Trials of a sweep with folds whose predictions are combined.

    Attributes:
      counts: the number of each trial, and how often it counts.
      is_averaged: whether each trial's predictions are averaged over the flips and transposes it trained with.
      fitted: how the combined predictions are adjusted; None where they are used as they are.
    """

    counts: tuple[tuple[int, int], ...]
    is_averaged: bool
    fitted: Fitted | None = None


def chosen(record: Record) -> Members | None:
    """Returns the trials that are the best way to predict by the corrected estimate; None if no trial is COMPLETE."""
    option = choice.chosen if (choice := choose(record)) else None
    return Members(option.members, option.is_averaged, option.fitted) if option else None


def all_seeds(record: Record) -> Members:
    """Returns all COMPLETE trials of a refit, once each, averaged over flips if they trained with some."""
    counts = tuple((trial.number, 1) for trial in record.trials if trial.state == State.COMPLETE)
    return Members(counts, is_averaged=True)


def write_out_of_fold(record: Record, members: Members) -> Path:
    """Writes `oof.csv` into the folder of a sweep: `id,fold,label`, and a probability `p(CLASS)` for each class.

    The folds count from 1, and the label is the true one as the data has it. Each image that was divided into folds
    has one row, in the order of data.csv.

    Raises:
      SweepError: data.csv, or a file that was kept of the trials, is missing or damaged.
    """
    if record.folds is None or record.valid_ids is None:
        raise SweepError(f"{record.folder}: has no data.csv with folds; see `{spelled('check')} {record.folder}`")
    labels = [record.classes[label] for label in record.valid_labels]
    leading = {"id": record.valid_ids, "fold": [str(fold + 1) for fold in record.folds.tolist()], "label": labels}
    out = record.folder / paths.OOF
    save_bytes(out, probability_table(leading, shares_of(record, members), record.classes))
    return out


def shares_of(record: Record, members: Members) -> np.ndarray:
    """Returns (N, classes) probabilities of all images, each by the nets that were trained without it.

    If they are scaled by a temperature, each fold is scaled by the temperature that fits the other folds.

    Raises:
      SweepError: the predictions of a trial are missing.
    """
    trials = [record.trials[number] for number, _ in members.counts]
    probabilities = np.stack([_probabilities(trial, members.is_averaged).T for trial in trials], axis=1)
    parts, counts = record.ensembles.part(probabilities), np.array([count for _, count in members.counts])
    shares = np.ascontiguousarray(record.ensembles.mean(parts, counts).T, np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    is_scaled = members.fitted is not None and members.fitted.kind.divides_logits
    scaled_shares = scaled(record, shares) if is_scaled else None
    return shares if scaled_shares is None else scaled_shares


def sentence(search: Record, refit: Record) -> str:
    """Returns, in words, the value of a refit with folds by the metric of its search.

    The value is not corrected for a choice, because all seeds of the refit are used and nothing is chosen among them.
    """
    members, metric = all_seeds(refit), search.metric
    logits = np.log(np.maximum(shares_of(refit, members), SMALLEST))
    scores = scores_of_images(search, refit.valid_labels, [logits])
    value = float(scores.everywhere()[0])
    low, high = sorted(metric.sign * end for end in scores.interval(0, value))
    show = metric.scale.rounded
    return (
        f"Each of the {counted(len(refit.valid_labels), 'image')} by the nets that never saw it, "
        f"{counted(len(members.counts), 'seed')} averaged: {metric.one} of {show(metric.sign * value)} over all "
        f"folds together, with a 95 % interval of {show(low)} to {show(high)}."
    )


def _probabilities(trial: TrialRecord, is_averaged: bool) -> np.ndarray:
    """Returns the (N, classes) float32 probabilities that a trial gives to the images."""
    logits_tta = trial.valid_logits_tta if is_averaged else None
    logits = trial.valid_logits if logits_tta is None else logits_tta
    if logits is None:
        raise SweepError(f"{trial.folder}: holds no {paths.VALID_LOGITS}; restore it, or see `{spelled('check')}`")
    return softmax(logits, np.float32).astype(np.float32)
