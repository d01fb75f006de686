"""What the chosen predictor scores on a test split with labels: measured once, when all trials have ended."""

import json
from dataclasses import asdict, dataclass

import numpy as np

from analysis.estimates.intervals import Sample
from analysis.record import Record
from storage import paths
from storage.files import DamagedError, read_json, written_whole
from storage.schema import parsed
from storage.states import State
from storage.text import counted

LEAST_SHARE = 1e-30  # of a class, whose logarithm is finite


@dataclass(frozen=True)
class TestScore:
    """A value on the labelled test images.

    Attributes:
      predictor: what labelled them, in words.
      trials: how many had ended.
      images: how many there are.
      value: by the metric of the sweep.
      low, high: of its 95 % interval; None where the metric has none.
    """

    __test__ = False  # no test of pytest's

    predictor: str
    trials: int
    images: int
    value: float
    low: float | None = None
    high: float | None = None


def measured(record: Record, predictor: str, labels: np.ndarray, shares: np.ndarray) -> TestScore:
    """Returns the value of (N, classes) probabilities for (N,) labels."""
    metric = record.metric
    assert metric.value is not None
    logits = np.log(np.maximum(shares, LEAST_SHARE))
    value = float(metric.value(labels, logits))
    low = high = None
    if (images := metric.images) is not None:
        guess = None if images.guess_loss is None else images.guess_loss(len(record.classes))
        scores = images.of_logits(labels, logits)
        scores = scores if guess is None else -scores
        low, high = Sample(images.strata(labels), guess).interval(scores, value)
    return TestScore(predictor, _ended(record), len(labels), value, low, high)


def write(record: Record, score: TestScore) -> None:
    with written_whole(record.folder / paths.TEST_SCORE) as partial:
        partial.write_text(json.dumps(asdict(score), indent=1) + "\n", encoding="utf-8")


def sentence(record: Record) -> str:
    """Returns what the report and the screen say of the test images; empty where they have no labels, or not yet."""
    path = record.folder / paths.TEST_SCORE
    if not path.exists():
        return ""
    try:
        score: TestScore = parsed(TestScore, read_json(path))
    except (ValueError, DamagedError) as error:
        return f"What was measured on the test images is damaged: {error}"
    shown = record.metric.scale.rounded
    within = ""
    if score.low is not None and score.high is not None:
        within = f" (95 % interval {shown(score.low)} to {shown(score.high)})"
    later = "" if score.trials == _ended(record) else f", measured when {counted(score.trials, 'trial')} had ended"
    return (
        f"On the {counted(score.images, 'labelled test image')}, which no trial was trained on and none was chosen by, "
        f"{score.predictor} has {record.metric.one} of {shown(score.value)}{within}{later}."
    )


def _ended(record: Record) -> int:
    return sum(trial.state != State.RUNNING for trial in record.trials)
