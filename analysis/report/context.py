"""What the templates of a report are given, computed from the record of the sweep alone."""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import repeated
from analysis.estimates.choice import Choice, choose
from analysis.estimates.repeated import Repeated
from analysis.record import Record, TrialRecord
from analysis.report.charts import Figure, Picture
from analysis.report.sections import classes, cost, history
from analysis.report.sections.advice import Step, next_steps
from analysis.report.sections.classes import ClassRow
from analysis.report.sections.importance import importances, importances_figure
from analysis.report.sections.leaders import Leaders, leaders
from analysis.report.sections.pictures import Doubts, confident_mistakes, doubts
from analysis.report.sections.ranges import Range, ranges, ranges_figure
from analysis.report.sections.slices import slices
from storage.files import DamagedError
from trainable.metrics.softmax import softmax


@dataclass(frozen=True)
class Images:
    """What is known of the best trial image by image.

    Attributes:
      classes: empty where its predictions are not there, or there is no best trial.
      calibration: in words; empty where its logits are not there.
    """

    classes: list[ClassRow]
    mistakes: list[Picture]
    calibration: str
    figures: list[Figure]


@dataclass(frozen=True)
class Context:
    """What takes more than one call to compute; the rest the templates ask the record for.

    Attributes:
      repeated_damaged: why what other seeds say of the best configs cannot be read; empty where it can.
      why_no_importances: empty where there are some.
      figures: by name.
    """

    record: Record
    best: TrialRecord | None
    choice: Choice | None
    repeated: Repeated | None
    repeated_damaged: str
    ranges: list[Range]
    doubts: Doubts | None
    steps: list[Step]
    leaders: Leaders
    why_no_importances: str
    states: list[cost.StateCost]
    images: Images
    figures: dict[str, Figure]


def context(record: Record) -> Context:
    """Computes all that a report says.

    Raises:
      SweepError, DamagedError: settings, ledger or the validation labels cannot be read.
    """
    best, rows, states = record.best, ranges(record), cost.by_state(record)
    asked = doubts(record) if best else None
    try:
        again, repeated_damaged = repeated.read(record), ""
    except DamagedError as error:
        again, repeated_damaged = None, str(error)
    images = _images(record, best) if best else Images([], [], "", [])
    figures = [
        history.over_trials(record),
        history.over_time(record),
        importances_figure(record),
        slices(record),
        ranges_figure(rows),
        history.learning_curves(record),
        cost.states_figure(states),
        cost.pareto_figure(record),
        *images.figures,
    ]
    return Context(
        record=record,
        best=best,
        choice=choose(record) if best else None,
        repeated=again,
        repeated_damaged=repeated_damaged,
        ranges=rows,
        doubts=asked,
        steps=next_steps(record, rows, asked, again),
        leaders=leaders(record),
        why_no_importances=importances(record)[1],
        states=states,
        images=images,
        figures={figure.name: figure for figure in figures if figure},
    )


def _images(record: Record, best: TrialRecord) -> Images:
    matrix = classes.confusion(record, best)
    if matrix is None:
        return Images([], [], "", [])
    rows = classes.class_rows(record.classes, matrix)
    figures = [classes.confusion_figure(record.classes, matrix), classes.accuracies_figure(rows)]
    if (logits := best.valid_logits) is None:
        return Images(rows, [], "", figures)
    bins, error = classes.calibration(softmax(logits.astype(np.float64)), record.valid_labels)
    words = classes.calibration_sentence(bins, error)
    return Images(rows, confident_mistakes(record, best), words, [*figures, classes.calibration_figure(bins)])
