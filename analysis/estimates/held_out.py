"""The score of the chosen predictor on a test split with labels, measured once, when all trials have ended."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from sweep.analysis.estimates.scores import scores_of_images
from sweep.analysis.record import Record
from sweep.storage import paths
from sweep.storage.files import DamagedError, read_json, written_whole
from sweep.storage.schema import parsed
from sweep.storage.states import State
from sweep.storage.text import counted

LEAST_SHARE = 1e-30  # the least probability of a class, so that its logarithm is finite


@dataclass(frozen=True)
class Rival:
    """The score of another predictor on the same images, compared with the chosen one.

    Attributes:
      predictor: the other predictor, in words.
      value: its value by the metric of the sweep.
      low, high: the 95 % interval of the value; None where it has no finite end.
      gain: how much better the chosen predictor is; negative if it is worse.
      gain_low, gain_high: the 95 % interval of the gain, paired image by image; None where it has no finite end.
    """

    predictor: str
    value: float
    low: float | None
    high: float | None
    gain: float
    gain_low: float | None
    gain_high: float | None


@dataclass(frozen=True)
class TestScore:
    """The score of the chosen predictor on the labelled test images.

    Attributes:
      predictor: the chosen predictor, in words.
      trials: how many trials had ended when this was measured.
      images: how many test images there are.
      value: the value by the metric of the sweep.
      low, high: the 95 % interval of the value; None where it has no finite end.
      rivals: the best single model and the best head, unless they are the chosen predictor themselves.
    """

    __test__ = False  # so that pytest does not take the class for a test

    predictor: str
    trials: int
    images: int
    value: float
    low: float | None = None
    high: float | None = None
    rivals: list[Rival] = field(default_factory=list)


def measured(
    record: Record, predictor: str, labels: np.ndarray, shares: np.ndarray, rivals: Mapping[str, np.ndarray]
) -> TestScore:
    """Returns the score of the chosen predictor on test images, compared with other predictors.

    Args:
      record: the sweep.
      predictor: the chosen predictor, in words.
      labels: (N,) class indices.
      shares: (N, classes) probabilities of the chosen predictor.
      rivals: (N, classes) probabilities of each other predictor, by its name in words.
    """
    sign = record.metric.sign
    logits = {name: np.log(np.maximum(each, LEAST_SHARE)) for name, each in {predictor: shares, **rivals}.items()}

    def value(name: str) -> tuple[float, float | None, float | None]:
        """Returns the value of a predictor, and the ends of its interval."""
        scores = scores_of_images(record, labels, [logits[name]])
        mean = float(scores.everywhere()[0])
        return sign * mean, *_finite_ends(sorted(sign * end for end in scores.interval(0, mean)))

    results = []
    for name in rivals:
        pair = scores_of_images(record, labels, [logits[predictor], logits[name]])
        gain = float(np.subtract(*pair.everywhere()))
        results.append(Rival(name, *value(name), gain, *_finite_ends(pair.interval_of_gain(gain))))
    return TestScore(predictor, _count_ended(record), len(labels), *value(predictor), results)


def _finite_ends(ends: Sequence[float]) -> tuple[float | None, float | None]:
    """Returns the two ends of an interval, with None for an end that is not finite."""
    low, high = (end if math.isfinite(end) else None for end in ends)
    return low, high


def write(record: Record, score: TestScore) -> None:
    """Writes the score into the folder of the sweep."""
    with written_whole(record.folder / paths.TEST_SCORE) as partial:
        partial.write_text(json.dumps(asdict(score), indent=1) + "\n", encoding="utf-8")


def sentence(record: Record) -> str:
    """Returns the words in which report and screen give the score on the test images; empty if there is no score."""
    path = record.folder / paths.TEST_SCORE
    if not path.exists():
        return ""
    try:
        score: TestScore = parsed(TestScore, read_json(path))
    except (ValueError, DamagedError) as error:
        return f"What was measured on the test images is damaged: {error}"
    note = "" if score.trials == _count_ended(record) else f", measured when {counted(score.trials, 'trial')} had ended"
    return (
        f"On the {counted(score.images, 'labelled test image')}, which no trial was trained on and none was chosen by, "
        f"{score.predictor} has {record.metric.one} of {_score_text(record, score)}{note}."
        + "".join(_rival_sentence(record, rival) for rival in score.rivals)
    )


def _score_text(record: Record, score: TestScore | Rival) -> str:
    show = record.metric.scale.rounded
    if score.low is None or score.high is None:
        return show(score.value)
    return f"{show(score.value)} (95 % interval {show(score.low)} to {show(score.high)})"


def _rival_sentence(record: Record, rival: Rival) -> str:
    scale = record.metric.scale
    gain, interval_text = f"{scale.amount(abs(rival.gain))}{scale.difference_unit}", ""
    if rival.gain_low is not None and rival.gain_high is not None:
        ends = sorted((rival.gain_low, rival.gain_high) if rival.gain >= 0 else (-rival.gain_low, -rival.gain_high))
        chance = ", which includes no difference" if ends[0] <= 0 <= ends[1] else ""
        interval_text = f" (95 % interval {scale.change(ends[0])} to {scale.change(ends[1])}{chance})"
    better = "better" if rival.gain >= 0 else "worse"
    return f" That is {gain}{interval_text} {better} than {rival.predictor}, with {_score_text(record, rival)}."


def _count_ended(record: Record) -> int:
    return sum(trial.state != State.RUNNING for trial in record.trials)
