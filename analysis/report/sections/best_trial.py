"""The sections about the best trial image by image: its classes, its calibration, its mistakes."""

from dataclasses import dataclass, field

import numpy as np

from sweep.analysis.estimates.choice import Choice
from sweep.analysis.record import Record
from sweep.analysis.report.charts import Figure, Picture
from sweep.analysis.report.parts import Part
from sweep.analysis.report.sections import calibration, classes, curves, imbalance, thresholds
from sweep.analysis.report.sections.pictures import confident_mistakes
from sweep.analysis.trial_record import TrialRecord
from sweep.trainable.metrics.contract import softmax

TWO = 2  # only two classes have a decision threshold, and curves over it


@dataclass(frozen=True)
class BestTrial:
    """The parts of the report about the best trial image by image; empty if its predictions were not kept.

    Attributes:
      classes: the parts about the classes and, if there are two classes, about the decision threshold.
      calibration: the part about how far its confidence can be trusted; None if its predictions were not kept.
      mistakes: the images of its most confident mistakes.
    """

    classes: list[Part] = field(default_factory=list)
    calibration: Part | None = None
    mistakes: list[Picture] = field(default_factory=list)

    @property
    def figures(self) -> list[Figure]:
        """The figures of all parts."""
        parts = [*self.classes, *([self.calibration] if self.calibration else [])]
        return [figure for part in parts for figure in part.figures]


def best_trial(record: Record, trial: TrialRecord, choice: Choice | None) -> BestTrial:
    """Returns the parts of the report about the best trial image by image.

    Args:
      record: the sweep.
      trial: the best trial.
      choice: the ways to predict, and the one that is chosen.
    """
    answers, labels = classes.answers(record, trial), record.valid_labels
    logits = trial.valid_logits if answers is not None else None
    if answers is None or logits is None:
        return BestTrial()
    rows = classes.class_rows(record.classes, labels, answers)
    figures = [classes.confusion_figure(record.classes, labels, answers), classes.classes_figure(rows)]
    parts = [classes.part(rows, figures), imbalance.part(record)]
    if len(record.classes) == TWO:
        shares = softmax(logits.astype(np.float64))
        parts += [curves.part(record, shares), thresholds.part(record, choice, shares)]
    mistakes = confident_mistakes(record, trial)
    return BestTrial([part for part in parts if part], calibration.part(record, logits), mistakes)
