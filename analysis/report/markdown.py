"""Text from outside in Markdown, and the templates that hold it."""

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
    """What is Markdown already, where neither marks nor HTML mean anything."""


def code(text: Any) -> Verbatim:
    """A code span, to be copied as it is, but for control characters, which are spaces."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if len(fence) > 1 else ""  # a span may neither begin nor end with a mark of its own
    return Verbatim(f"{fence}{space}{shown}{space}{fence}")


def literal(text: str) -> Verbatim:
    """A string of Python, for a block of code."""
    return Verbatim(repr(text))


def escaped(text: Any) -> str:
    """On one line, its Markdown marks escaped; HTML in it is still HTML: see `environment`."""
    if isinstance(text, Verbatim):
        return text
    return MARKS.sub(r"\\\1", " ".join(str(text).splitlines()))


@cache
def environment(finalize: Callable[[Any], Any] = escaped) -> Environment:
    """Of `templates/`: HTML is escaped in every expression.

    Args:
      finalize: what else each expression goes through; `escaped` is for Markdown, which may hold HTML as well.
    """
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"code": code, "literal": literal, "counted": counted}
    return made
