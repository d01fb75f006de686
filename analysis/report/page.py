"""Writes the report of a running or ended sweep: report.html, which needs no other file, report.md, figures/*.png."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from sweep.analysis.commands import command_of
from sweep.analysis.estimates import held_out, repeated
from sweep.analysis.estimates.choice import Choice, choose
from sweep.analysis.estimates.repeated import Repeated
from sweep.analysis.record import Record
from sweep.analysis.report import contents
from sweep.analysis.report.charts import COLOURS, Figure, PairPicture
from sweep.analysis.report.contents import duration, plain
from sweep.analysis.report.figures import render, render_pictures
from sweep.analysis.report.interactive import embedded, source
from sweep.analysis.report.markdown import TEMPLATES, environment
from sweep.analysis.report.parts import Part
from sweep.analysis.report.sections import cost, folds, history
from sweep.analysis.report.sections.advice import next_steps
from sweep.analysis.report.sections.best_trial import BestTrial, best_trial
from sweep.analysis.report.sections.importance import importances, importances_figure
from sweep.analysis.report.sections.kinds import kind_rows
from sweep.analysis.report.sections.leaders import leaders
from sweep.analysis.report.sections.near_duplicates import near_duplicates_sentence, near_pairs
from sweep.analysis.report.sections.pictures import Doubts, doubts, doubts_sentence
from sweep.analysis.report.sections.ranges import Range, ranges, ranges_figure, ranges_sentence
from sweep.analysis.report.sections.slices import slices
from sweep.analysis.trial_record import TrialRecord
from sweep.storage import paths
from sweep.storage.errors import SweepError
from sweep.storage.files import DamagedError, make_folder, remove, save_bytes, utf8
from sweep.storage.programs import spelled

FUNCTIONS = {  # the functions that the templates call
    "contents": contents,
    "cost": cost,
    "command_of": command_of,
    "doubts_sentence": doubts_sentence,
    "importances": importances,
    "kind_rows": kind_rows,
    "leaders_of": leaders,
    "near_duplicates_sentence": near_duplicates_sentence,
    "next_steps": next_steps,
    "ranges_sentence": ranges_sentence,
    "spelled": spelled,
    "test_sentence": held_out.sentence,
}


@dataclass(frozen=True)
class Context:
    """The values that the templates are given; whatever takes only one call, they compute with `FUNCTIONS`.

    Attributes:
      record: the sweep.
      best: the best trial; None if no trial is COMPLETE.
      choice: the ways to predict; None if no COMPLETE trial has its predictions.
      repeated: the repeat of the best configs with other seeds; None if there is none.
      repeated_damaged: why the repeat cannot be read; empty if it can.
      ranges: where the best values lie in the ranges that were searched.
      doubts: labels that may be wrong; None if no trial is COMPLETE.
      images: the section about the best trial image by image.
      folds: the section about the folds; None in a sweep without folds.
      near_pairs: pairs of near duplicates to look at.
      figures: the figures by name.
    """

    record: Record
    best: TrialRecord | None
    choice: Choice | None
    repeated: Repeated | None
    repeated_damaged: str
    ranges: list[Range]
    doubts: Doubts | None
    images: BestTrial
    folds: Part | None
    near_pairs: list[PairPicture]
    figures: dict[str, Figure]


def write_report(record: Record) -> Path:
    """Writes the figures and the report; returns the path of `report.html`.

    Damaged files of single trials are left out, and the report says so.

    Raises:
      SweepError, DamagedError: settings, ledger or validation labels cannot be read, or the sweep is a refit, which
        has no value to report.
    """
    if not record.metric.is_measured:
        raise SweepError(
            f"{record.folder}: is a refit, trained on its validation images too; report {record.folder.parent}"
        )
    context = _context(record)
    folder = record.folder / "figures"
    make_folder(folder)
    pngs = {name: render(figure) for name, figure in context.figures.items()}
    pictures = {"mistakes": context.images.mistakes, "doubts": context.doubts.pictures if context.doubts else ()}
    pngs |= {name: render_pictures(group) for name, group in pictures.items() if group and group[0].pixels is not None}
    if context.near_pairs:
        pngs["near-duplicates"] = render_pictures(context.near_pairs)
    for old in folder.glob("*.png"):
        if old.stem not in pngs:
            remove(old)
    for name, png in pngs.items():
        save_bytes(folder / f"{name}.png", png)
    scripts = {"plotly": get_plotlyjs(), "own": (TEMPLATES / "report.js").read_text(encoding="utf-8")}
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts.values())
    hashes = [f"sha256-{base64.b64encode(digest).decode()}" for digest in digests]
    page = {"scripts": scripts, "hashes": hashes, "colours": COLOURS, "embedded": embedded, "source": source}
    for name, templates, values in (
        (paths.REPORT_TEXT, environment(), {"pngs": pngs}),
        (paths.REPORT_PAGE, environment(_on_one_line), page),
    ):
        templates.filters |= _filters(record)
        text = templates.get_template(name).render(vars(context) | FUNCTIONS | values)
        save_bytes(record.folder / name, utf8(text))
    return record.folder / paths.REPORT_PAGE


def _context(record: Record) -> Context:
    """Returns the values for the templates.

    Raises:
      SweepError, DamagedError: settings, ledger or validation labels cannot be read.
    """
    best, rows = record.best, ranges(record)
    repeat, repeated_damaged = None, ""
    try:
        repeat = repeated.read(record)
    except DamagedError as error:
        repeated_damaged = str(error)
    choice = choose(record) if best else None
    images = best_trial(record, best, choice) if best else BestTrial()
    folds_part = folds.part(record)
    figures = [
        history.over_trials(record),
        history.over_time(record),
        importances_figure(record),
        slices(record),
        ranges_figure(rows),
        history.learning_curves(record),
        cost.states_figure(record),
        cost.pareto_figure(record),
        *images.figures,
        *(folds_part.figures if folds_part else ()),
    ]
    return Context(
        record=record,
        best=best,
        choice=choice,
        repeated=repeat,
        repeated_damaged=repeated_damaged,
        ranges=rows,
        doubts=doubts(record) if best else None,
        near_pairs=near_pairs(record),
        images=images,
        folds=folds_part,
        figures={figure.name: figure for figure in figures if figure},
    )


def _on_one_line(value: Any) -> Any:
    """Returns a text with a no-break space between a number and its percent sign; any other value unchanged."""
    return re.sub(r"(?<=\d) %", "\u00a0%", value) if type(value) is str else value


def _filters(record: Record) -> dict[str, Callable[..., str]]:
    scale = record.metric.scale
    return {
        "value": scale.value,
        "rounded": scale.rounded,
        "difference": scale.difference,
        "gain": lambda gain: scale.change(gain) + scale.difference_unit,
        "change": scale.change,
        "percent": lambda share: f"{100 * share:z.1f} %",
        "duration": duration,
        "plain": plain,
    }
