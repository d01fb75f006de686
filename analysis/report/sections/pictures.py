"""Finds validation images that are worth looking at: the most confident mistakes, and labels that may be wrong."""

from dataclasses import dataclass

import numpy as np

from sweep.analysis.record import Record
from sweep.analysis.report.charts import Picture
from sweep.analysis.report.contents import plain, standard_error
from sweep.analysis.trial_record import TrialRecord
from sweep.storage.states import State
from sweep.storage.text import counted
from sweep.trainable.metrics.contract import softmax

MOST_PICTURES = 24
FEWEST_GOOD, MOST_GOOD = 3, 20  # how many good trials have to agree that a label is wrong


@dataclass(frozen=True)
class Doubts:
    """Labels that may be wrong.

    Attributes:
      trials: how many good trials there are; with fewer than `FEWEST_GOOD`, no labels are doubted.
      found: for how many images all of them predict the same class, which is not the label.
      pictures: the images for which they do so with the highest probability.
    """

    trials: int
    found: int
    pictures: list[Picture]


def confident_mistakes(record: Record, trial: TrialRecord) -> list[Picture]:
    """Returns the images that a trial gets wrong with the highest probability, the most confident mistake first."""
    logits = trial.valid_logits
    assert logits is not None
    shares = softmax(logits.astype(np.float64))
    answers, confidence = shares.argmax(axis=1), shares.max(axis=1)
    wrong = np.flatnonzero(answers != record.valid_labels)
    return _pictures(record, wrong, answers, confidence)


def doubts(record: Record) -> Doubts:
    """Returns the images for which all good trials predict the same wrong class, the most confident first.

    A trial is good if it is COMPLETE and its value is within two standard errors of the best one.
    """
    good = good_trials(record)
    if len(good) < FEWEST_GOOD:
        return Doubts(len(good), 0, [])
    total = np.zeros((len(record.valid_labels), len(record.classes)))
    answers = []
    for trial in good:
        assert trial.valid_logits is not None
        shares = softmax(trial.valid_logits.astype(np.float64))
        total += shares / len(good)
        answers.append(shares.argmax(axis=1))
    is_unanimous = np.all(np.stack(answers) == answers[0], axis=0)
    disagreements = np.flatnonzero(is_unanimous & (answers[0] != record.valid_labels))
    return Doubts(len(good), len(disagreements), _pictures(record, disagreements, answers[0], total.max(axis=1)))


def doubts_sentence(result: Doubts) -> str:
    """Returns, in words, how labels were checked and how many are doubted."""
    good = "COMPLETE ones within two standard errors of the best"
    if result.trials < FEWEST_GOOD:
        verb = "is" if result.trials == 1 else "are"
        return f"Not asked: that takes {FEWEST_GOOD} good trials, {good}, and there {verb} {result.trials}."
    if not result.found:
        return (
            f"None: no validation image is taken for the same other class by all {result.trials} good trials, {good}."
        )
    images = counted(result.found, "validation image")
    heading = "" if result.found <= len(result.pictures) else f" The {len(result.pictures)} that they are surest of:"
    return (
        f"All {result.trials} good trials, {good}, say the same other class of {images}. Either the label is wrong or "
        f"the image is hard: look and see.{heading}"
    )


def good_trials(record: Record) -> list[TrialRecord]:
    """Returns at most `MOST_GOOD` COMPLETE trials within two standard errors of the best, whose logits were kept."""
    candidates = [
        trial
        for trial in record.ranked
        if trial.state == State.COMPLETE and trial.number not in record.damaged and trial.valid_logits is not None
    ]
    error = standard_error(record, candidates[0]) if candidates else None
    if error is None:
        return []
    best = candidates[0].value or 0.0
    return [trial for trial in candidates if abs((trial.value or 0.0) - best) <= 2 * error][:MOST_GOOD]


def _pictures(record: Record, images: np.ndarray, answers: np.ndarray, confidence: np.ndarray) -> list[Picture]:
    """Returns at most `MOST_PICTURES` of some images, the one with the highest probability first.

    Args:
      record: the sweep.
      images: the numbers of the images to choose from.
      answers: (N,) the predicted class of every validation image.
      confidence: (N,) the probability of this class.
    """
    ids, pixels = record.valid_ids, record.valid_images
    return [
        Picture(
            id=plain(ids[image]) if ids else f"image {image}",
            label=plain(record.classes[record.valid_labels[image]]),
            said=f"{plain(record.classes[answers[image]])}, {100 * confidence[image]:.0f} %",
            pixels=None if pixels is None else pixels[image],
        )
        for image in images[np.argsort(-confidence[images], kind="stable")][:MOST_PICTURES]
    ]
