"""The report of a sweep, running or ended: report.html, which needs no other file, report.md and figures/*.png."""

import base64
import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis.commands import command_of
from analysis.record import Record
from analysis.report import contents, markdown
from analysis.report.charts import COLOURS
from analysis.report.contents import duration, plain
from analysis.report.context import context
from analysis.report.figures import draw, draw_pictures
from analysis.report.interactive import embedded, library, source
from analysis.report.sections import cost
from analysis.report.sections.pictures import doubts_sentence
from analysis.report.sections.ranges import ranges_sentence
from storage import paths
from storage.errors import SweepError
from storage.files import make_folder, remove, utf8, written_whole
from storage.text import counted

TEMPLATES = Path(__file__).parent / "templates"
FUNCTIONS = {  # that the templates call
    "contents": contents,
    "cost": cost,
    "command_of": command_of,
    "doubts_sentence": doubts_sentence,
    "ranges_sentence": ranges_sentence,
}


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
    given = context(record)
    folder = record.folder / "figures"
    make_folder(folder)
    pngs = {name: draw(figure) for name, figure in given.figures.items()}
    pictures = {"mistakes": given.images.mistakes, "doubts": given.doubts.pictures if given.doubts else ()}
    pngs |= {name: draw_pictures(shown) for name, shown in pictures.items() if shown and shown[0].pixels is not None}
    for old in folder.glob("*.png"):
        if old.stem not in pngs:
            remove(old)
    for name, png in pngs.items():
        with written_whole(folder / f"{name}.png") as partial:
            partial.write_bytes(png)
    scripts = {"plotly": library(), "own": (TEMPLATES / "report.js").read_text(encoding="utf-8")}
    hashes = [_hash(script) for script in scripts.values()]
    page = {"scripts": scripts, "hashes": hashes, "colours": COLOURS, "embedded": embedded, "source": source}
    for name, environment, more in (
        (paths.REPORT_TEXT, markdown.environment(), {"pngs": pngs}),
        (paths.REPORT_PAGE, _environment(), page),
    ):
        environment.filters |= _filters(record)
        text = environment.get_template(name).render(vars(given) | FUNCTIONS | more)
        with written_whole(record.folder / name) as partial:
            partial.write_bytes(utf8(text))
    return record.folder / paths.REPORT_PAGE


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
