"""Escapes text from outside for Markdown, and loads the templates that contain it."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sweep.storage.text import counted

TEMPLATES = Path(__file__).parent / "templates"
MARKS = re.compile(r"([\\`*_{}\[\]#|~$])")


class Verbatim(Markup):
    """A text that is Markdown already, in which neither marks nor HTML have to be escaped."""


def code(text: Any) -> Verbatim:
    """Returns a code span with a text that people can copy unchanged; control characters become spaces."""
    printable = "".join(c if c.isprintable() else " " for c in str(text))
    fence = "`" * (max(map(len, re.findall("`+", printable)), default=0) + 1)
    space = " " if len(fence) > 1 else ""  # backticks at the ends would join the fence
    return Verbatim(f"{fence}{space}{printable}{space}{fence}")


def literal(text: str) -> Verbatim:
    """Returns a text as a string of Python, for a block of code."""
    return Verbatim(repr(text))


def escaped(text: Any) -> str:
    """Returns a text on one line with its Markdown marks escaped; `environment` escapes its HTML."""
    if isinstance(text, Verbatim):
        return text
    return MARKS.sub(r"\\\1", " ".join(str(text).splitlines()))


@cache
def environment(finalize: Callable[[Any], Any] = escaped) -> Environment:
    """Returns the environment of the templates in `templates/`, in which HTML is escaped in every expression.

    Args:
      finalize: a function that is applied to the value of each expression too. The default is for Markdown, in which
        both HTML and marks have to be escaped.
    """
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"code": code, "literal": literal, "counted": counted}
    return templates
