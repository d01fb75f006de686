"""Rules for ids and labels: which ones may be used, and which labels mean the same class."""

import math
import re
import unicodedata
from collections.abc import Iterable

from sweep.datasets.problems import Problem, shown

INVISIBLE = {"Cc": "a control character", "Cs": "a byte that is not UTF-8", "Zl": "a line break", "Zp": "a line break"}
BOX = r"( -?\d+(\.\d+)?){4}"
WITH_BOXES = re.compile(rf"(\S+){BOX}( \1{BOX})*")  # `n01440764 13 25 291 297`, as in the solution file of ImageNet
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # characters that make a name look like another one


def id_problem(name: str, place: str) -> Problem | None:
    """Returns the rule that an id breaks, or None.

    An id must be a relative path that is safe to open, to print and to write into a CSV.
    """
    rule = _text_rule(name)
    if not rule and name[0] in "=+-@":
        rule = f"must not begin with `{name[0]}` (a spreadsheet would run it)"
    parts = name.split("/")
    if not rule and ("\\" in name or re.match("[A-Za-z]:|~", name) or not all(part.strip(".") for part in parts)):
        rule = "must be a relative path without empty parts, `.`, `..`, `~`, backslash or drive"
    if not rule and max(len(part.encode()) for part in parts) > 255:
        rule = "must have at most 255 bytes between slashes"
    return Problem(place, f"id {rule}", shown(name), "rename the file and the id") if rule else None


def label_problem(label: str, place: str) -> Problem | None:
    """Returns the rule that a label breaks, or None.

    A label must be the same after it was written into a CSV and read again.
    """
    rule = _text_rule(label)
    if not rule and label[0] in "=+-@" and _number(label) is None:
        rule = f"must not begin with `{label[0]}` (a spreadsheet would run it)"
    if not rule and len(label.encode()) > 255:
        rule = "must have at most 255 bytes"
    way_out = "give it another" if label.strip() else "give the image one, or remove the row"
    return Problem(place, f"label {rule}", shown(label), way_out) if rule else None


def _text_rule(text: str) -> str | None:
    """Returns the rule for text that an id or a label breaks, or None."""
    if not text.strip():
        return "must not be empty"
    if text != text.strip():
        return "must not begin or end with a space"
    if BIDI.search(text):
        return "must not turn the direction of text"
    if text.isprintable():
        return None
    kinds = (INVISIBLE.get(unicodedata.category(character)) for character in text)
    return next((f"must not hold {kind}" for kind in kinds if kind), None)


def sort_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Returns the distinct labels, sorted as numbers if all are whole numbers, otherwise as text."""
    classes = sorted(set(labels))
    if all(re.fullmatch(r"[+-]?\d+", label) for label in classes):
        classes.sort(key=int)
    return tuple(classes)


def meaning(label: str) -> float | str:
    """Returns a value that is equal for labels which mean the same.

    Such labels are `1`, `01` and `1.0`, or two Unicode forms of one text.
    """
    number = _number(label)
    return unicodedata.normalize("NFC", label) if number is None else number


def _number(label: str) -> float | None:
    """Returns the finite number that a label is, or None."""
    if "_" in label:  # Python would read `1_0` as 10
        return None
    try:
        return int(label)  # exact for any number of digits
    except ValueError:
        pass
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
