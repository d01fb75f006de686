"""`oof.csv`: what is said of each labelled image by nets that were trained without it and what belongs to it."""

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

SMALLEST = 1e-30  # of a probability, whose logarithm is finite


@dataclass(frozen=True)
class Members:
    """The trials of a sweep in folds that predict together.

    Attributes:
      counts: each trial's number, and how often it counts.
      is_averaged: over the flips and transposes that each trained with.
      fitted: how what they say is adjusted; None where it is taken as it is.
    """

    counts: tuple[tuple[int, int], ...]
    is_averaged: bool
    fitted: Fitted | None = None


def chosen(record: Record) -> Members | None:
    """Returns what the corrected estimate of a search says is best; None where no trial is COMPLETE."""
    option = found.chosen if (found := choose(record)) else None
    return Members(option.members, option.is_averaged, option.fitted) if option else None


def all_seeds(record: Record) -> Members:
    """Returns every COMPLETE trial of a refit once, averaged over flips where it trained with some."""
    there = tuple((trial.number, 1) for trial in record.trials if trial.state == State.COMPLETE)
    return Members(there, is_averaged=True)


def write_out_of_fold(record: Record, members: Members) -> Path:
    """Writes `oof.csv` into the folder of a sweep: `id,fold,label`, and a probability `p(CLASS)` for each class.

    The folds count from 1, and the label is the true one as the data has it. The images are those that were divided,
    each once, in the order of data.csv.

    Raises:
      SweepError: what was kept of the trials, or data.csv, is not there or damaged.
    """
    if record.folds is None or record.valid_ids is None:
        raise SweepError(f"{record.folder}: has no data.csv with folds; see `{spelled('check')} {record.folder}`")
    labels = [record.classes[label] for label in record.valid_labels]
    leading = {"id": record.valid_ids, "fold": [str(fold + 1) for fold in record.folds.tolist()], "label": labels}
    out = record.folder / paths.OOF
    save_bytes(out, probability_table(leading, shares_of(record, members), record.classes))
    return out


def shares_of(record: Record, members: Members) -> np.ndarray:
    """(N, classes) probabilities of all images, each by the nets that were trained without it.

    Where they are scaled by a temperature, each fold is by the one that fits the others.

    Raises:
      SweepError: a trial's predictions are not there.
    """
    trials = [record.trials[number] for number, _ in members.counts]
    probabilities = np.stack([_probabilities(trial, members.is_averaged).T for trial in trials], axis=1)
    parts, counts = record.ensembles.part(probabilities), np.array([count for _, count in members.counts])
    shares = np.ascontiguousarray(record.ensembles.mean(parts, counts).T, np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    is_scaled = members.fitted is not None and members.fitted.kind.divides_logits
    found = scaled(record, shares) if is_scaled else None
    return shares if found is None else found


def sentence(search: Record, refit: Record) -> str:
    """Returns what a refit in folds is worth by the metric of its search: nothing was chosen on these images since."""
    members, metric = all_seeds(refit), search.metric
    logits = np.log(np.maximum(shares_of(refit, members), SMALLEST))
    scores = scores_of_images(search, refit.valid_labels, [logits])
    value = float(scores.everywhere()[0])
    low, high = sorted(metric.sign * end for end in scores.interval(0, value))
    shown = metric.scale.rounded
    return (
        f"Each of the {counted(len(refit.valid_labels), 'image')} by the nets that never saw it, "
        f"{counted(len(members.counts), 'seed')} averaged: {metric.one} of {shown(metric.sign * value)} over all "
        f"folds together, with a 95 % interval of {shown(low)} to {shown(high)}."
    )


def _probabilities(trial: TrialRecord, is_averaged: bool) -> np.ndarray:
    """(N, classes) float32."""
    averaged = trial.valid_logits_tta if is_averaged else None
    logits = trial.valid_logits if averaged is None else averaged
    if logits is None:
        raise SweepError(f"{trial.folder}: holds no {paths.VALID_LOGITS}; restore it, or see `{spelled('check')}`")
    return softmax(logits, np.float32).astype(np.float32)
