"""How the predictions of a sweep are handed in: the form of the sample submission, kept in the sweep's folder."""

from pathlib import Path

from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.submission import LABEL, PROBABILITY, Submission
from sweep.datasets.submission.kept import is_kept, to_bytes
from sweep.storage import paths
from sweep.storage.files import save_bytes
from sweep.trainable.metrics.contract import Metric


def keep(folder: Path, data: Dataset, metric: Metric) -> None:
    """Keeps the form that the sample of the data shows, so that it holds whatever becomes of the data.

    Nothing is kept of data without a sample whose form is known: its predictions are `id,label`. Where a sample may ask
    for labels or for a probability, the metric by which trials are judged decides.
    """
    if data.test is None or data.submission is None:
        return
    submission = data.submission.judged_by(_holds(metric))
    if is_kept(folder) or submission != Submission.of(data.test.ids):
        save_bytes(folder / paths.SUBMISSION, to_bytes(submission))


def _holds(metric: Metric) -> str | None:
    """Returns what a metric is computed of; None of one that says little, as accuracy is what nobody chose."""
    if metric.keeps == "probabilities":
        return PROBABILITY
    return LABEL if metric.counts is not None else None
