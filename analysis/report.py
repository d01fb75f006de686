"""Make the report of a sweep, running or ended.

    python -m analysis.report SWEEP

Writes report.html (one file that needs no other), report.md and figures/*.png.
"""

import base64
import re
import sys
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis import contents
from analysis.figures import draw
from analysis.record import Record, SweepError
from trainable.files import DamagedError, make_folder, written_whole

MOST_FAILURES = 10  # shown of one reason
MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~$])")


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=click.Path(path_type=Path))
def main(sweep: Path) -> None:
    try:
        print(write_report(Record(sweep)))
    except (SweepError, DamagedError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(4)


def write_report(record: Record) -> Path:
    """Writes the figures and the report; returns the path of `report.html`."""
    figures = draw(record)
    folder = record.folder / "figures"
    make_folder(folder)
    for name, png in figures.items():
        with written_whole(folder / name) as partial:
            partial.write_bytes(png)
    said = _said(record)
    inline = {name: f"data:image/png;base64,{base64.b64encode(png).decode()}" for name, png in figures.items()}
    beside = {name: f"figures/{name}" for name in figures}
    for template, sources in (("report.md", beside), ("report.html", inline)):
        text = _environment(template).get_template(template).render(said, figures=sources)
        with written_whole(record.folder / template) as partial:
            partial.write_text(text, encoding="utf-8")
    return record.folder / "report.html"


def _said(record: Record) -> dict[str, Any]:
    """Everything that the templates name."""
    best, ranked = record.best, record.ranked
    matrix = contents.confusion(record, best) if best else None
    return {
        "name": record.folder.resolve().name,
        "settings": record.settings,
        "metric": contents.METRIC_WORDS[record.metric],
        "progress": contents.progress(record),
        "counts": contents.count_states(record),
        "best": best,
        "caution": contents.caution(record, best) if best else "",
        "baselines": contents.baselines(record),
        "leaders": ranked[: contents.LEADERS],
        "fields": lambda trial: contents.config_fields(trial.config, ranked[0].config),
        "config_text": contents.config_text,
        "micro_batches": contents.micro_batches(record),
        "plain": contents.plain,
        "why_no_importances": contents.importances(record)[1],
        "classes": contents.class_rows(record.classes, matrix) if matrix is not None else [],
        "failures": contents.failures(record),
        "most_failures": MOST_FAILURES,
    }


def _environment(template: str) -> Environment:
    """Escapes every expression of a template: for HTML, and for Markdown, which may hold HTML, its own marks too."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        finalize=_markdown if template.endswith(".md") else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: "-" if value is None else f"{value:.4f}"
    return environment


def _markdown(value: Any) -> str:
    return MARKDOWN.sub(r"\\\1", " ".join(str(value).splitlines()))


if __name__ == "__main__":
    main()
