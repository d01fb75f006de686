"""Text from outside in Markdown, and the templates that hold it."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

MARKS = re.compile(r"([\\`*_{}\[\]#|~$])")


def escaped(text: Any) -> str:
    """On one line, its Markdown marks escaped; HTML in it is still HTML: see `environment`."""
    return MARKS.sub(r"\\\1", " ".join(str(text).splitlines()))


def environment() -> Environment:
    """For the Markdown in `templates/`: every expression is escaped, the HTML that Markdown may hold as well."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        finalize=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
