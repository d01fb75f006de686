"""The report of a sweep, running or ended: report.html, which needs no other file, report.md and figures/*.png."""

import base64
import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis import commands
from analysis.estimates import repeated
from analysis.estimates.choice import choose
from analysis.record import Record
from analysis.report import contents, markdown
from analysis.report.charts import COLOURS, Figure
from analysis.report.contents import duration, plain
from analysis.report.figures import draw, draw_pictures
from analysis.report.interactive import embedded, library, source
from analysis.report.sections import classes, cost, history
from analysis.report.sections.advice import next_steps
from analysis.report.sections.importance import importances, importances_figure
from analysis.report.sections.leaders import leaders
from analysis.report.sections.pictures import confident_mistakes, doubts, doubts_sentence
from analysis.report.sections.ranges import ranges, ranges_figure, ranges_sentence
from analysis.report.sections.slices import slices
from storage import paths
from storage.bucket import address_of, with_addresses
from storage.errors import SweepError
from storage.files import DamagedError, make_folder, remove, utf8, written_whole
from storage.text import counted
from trainable.metrics.softmax import softmax

TEMPLATES = Path(__file__).parent / "templates"
MOST_FAILURES = 10  # shown of one reason


def write_report(record: Record) -> Path:
    """Writes the figures and the report; returns the path of `report.html`.

    What is damaged of single trials is left out, and said.

    Raises:
      SweepError, DamagedError: settings, ledger or the validation labels cannot be read, or it is a refit, which has
        no number to report.
    """
    if not record.metric.is_measured:
        raise SweepError(
            f"{record.folder}: is a refit, trained on its validation images too; report {record.folder.parent}"
        )
    trials, figures_of_trials = _trials(record)
    best, figures_of_best = _best_trial(record)
    figures = {figure.name: figure for figure in (*figures_of_trials, *figures_of_best)}
    said = _answer(record) | trials | best | {"figures": figures}
    folder = record.folder / "figures"
    make_folder(folder)
    pngs = {figure.name: draw(figure) for figure in figures.values()}
    pictures = {"mistakes": said["mistakes"], "doubts": said["doubts"].pictures if said["doubts"] else ()}
    pngs |= {name: draw_pictures(shown) for name, shown in pictures.items() if shown and shown[0].pixels is not None}
    for old in folder.glob("*.png"):
        if old.stem not in pngs:
            remove(old)
    for name, png in pngs.items():
        with written_whole(folder / f"{name}.png") as partial:
            partial.write_bytes(png)
    scripts = {"plotly": library(), "own": (TEMPLATES / "report.js").read_text(encoding="utf-8")}
    page = said | {"scripts": scripts, "hashes": [_hash(script) for script in scripts.values()]}
    for name, environment, content in (
        (paths.REPORT_TEXT, markdown.environment(), said | {"pngs": pngs}),
        (paths.REPORT_PAGE, _environment(), page | {"colours": COLOURS, "embedded": embedded, "source": source}),
    ):
        environment.filters |= _filters(record)
        text = environment.get_template(name).render(content)
        with written_whole(record.folder / name) as partial:
            partial.write_bytes(utf8(text))
    return record.folder / paths.REPORT_PAGE


def _answer(record: Record) -> dict[str, Any]:
    best, rows = record.best, ranges(record)
    asked = doubts(record) if best else None
    found, repeated_damaged = _repeated(record)
    metric = record.metric
    return {
        "name": plain(record.folder.resolve().name),
        "folder": address_of(record.folder),
        "settings": record.settings,
        "file": record.file,
        "metric": metric.words,
        "short_metric": metric.short,
        "progress": contents.progress(record),
        "counts": contents.count_states(record),
        "damaged": record.damaged,
        "damage": contents.damage(record),
        "best": best,
        "choice": choose(record) if best else None,
        "caution": contents.caution(record, best) if best else "",
        "config": contents.config_fields(best.config, best.config) if best else [],
        "again": commands.command_of(record, best) if best else "",
        "baselines": contents.baselines(record),
        "over": lambda trial: metric.sign * (best.value - trial.value) if best else 0.0,
        "repeated": found,
        "repeated_damaged": repeated_damaged,
        "ranges": rows,
        "ranges_sentence": ranges_sentence(rows) if best else "",
        "doubts": asked,
        "doubts_sentence": doubts_sentence(asked) if asked else "",
        "steps": next_steps(record, rows, asked, found),
    }


def _repeated(record: Record) -> tuple[repeated.Repeated | None, str]:
    """What other seeds say of the best configs, or why that cannot be read."""
    try:
        return repeated.read(record), ""
    except DamagedError as error:
        return None, with_addresses(str(error))


def _trials(record: Record) -> tuple[dict[str, Any], list[Figure]]:
    """What the trials say together, and the figures of it."""
    _, why_none = importances(record)
    states = cost.by_state(record)
    figures = [
        history.over_trials(record),
        history.over_time(record),
        importances_figure(record),
        slices(record),
        ranges_figure(ranges(record)),
        history.learning_curves(record),
        cost.states_figure(states),
        cost.pareto_figure(record),
    ]
    said = {
        "leaders": leaders(record),
        "micro_batches": contents.micro_batches(record),
        "why_no_importances": why_none,
        "failures": contents.failures(record),
        "most_failures": MOST_FAILURES,
        "config_text": contents.config_text,
        "states": states,
        "saving": cost.saving_sentence(cost.saving(record)),
        "slowest": cost.slowest(record),
        "pareto": cost.pareto(record),
        "seconds": lambda trial: contents.seconds(record, trial),
    }
    return said, [figure for figure in figures if figure]


def _best_trial(record: Record) -> tuple[dict[str, Any], list[Figure]]:
    """What is known of the best trial image by image, and the figures of it."""
    best = record.best
    matrix = classes.confusion(record, best) if best else None
    logits = best.valid_logits if best and matrix is not None else None
    said: dict[str, Any] = {"classes": [], "mistakes": [], "calibration": "", "has_images": False}
    figures = []
    if matrix is not None:
        rows = classes.class_rows(record.classes, matrix)
        said |= {"classes": rows}
        figures += [classes.confusion_figure(record.classes, matrix), classes.accuracies_figure(rows)]
    if best and logits is not None:
        bins, error = classes.calibration(softmax(logits.astype(np.float64)), record.valid_labels)
        said |= {"calibration": classes.calibration_sentence(bins, error), "mistakes": confident_mistakes(record, best)}
        said |= {"has_images": record.valid_images is not None}
        figures.append(classes.calibration_figure(bins))
    return said, figures


@cache
def _environment() -> Environment:
    """Escapes every expression but the scripts."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_on_one_line,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _on_one_line(value: Any) -> Any:
    """A number and its percent sign are not parted."""
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
        "counted": counted,
        "plain": plain,
    }


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
