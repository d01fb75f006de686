"""Keeps, in the sweep's folder, the form in which its predictions are handed in, as a sample submission shows it."""

from pathlib import Path

from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.submission import LABEL, PROBABILITY, Submission
from sweep.datasets.submission.stored import is_kept, to_bytes
from sweep.storage import paths
from sweep.storage.files import save_bytes
from sweep.trainable.metrics.contract import Metric


def keep(folder: Path, data: Dataset, metric: Metric) -> None:
    """Writes down the form that the sample submission of the data shows, so that the data is not needed for it again.

    If the data has no sample of a known form, nothing is written, and predictions have the form `id,label`. If a
    sample could ask for labels as well as for a probability, the metric of the sweep decides.
    """
    if data.test is None or data.submission is None:
        return
    submission = data.submission.judged_by(_content_for(metric))
    if is_kept(folder) or submission != Submission.plain(data.test.ids):
        save_bytes(folder / paths.SUBMISSION, to_bytes(submission))


def _content_for(metric: Metric) -> str | None:
    """Returns whether a metric is computed from labels or probabilities; None if that does not decide.

    A mean over images that needs no probabilities, such as accuracy, does not decide: accuracy is the default, so it
    may be that nobody chose it.
    """
    if metric.keeps == "probabilities":
        return PROBABILITY
    return LABEL if metric.counts is not None else None
