"""Reads the values of a label column: one label, a label with boxes, or several labels."""

import re
from collections import Counter
from collections.abc import Sequence

from sweep.datasets.labels import WITH_BOXES
from sweep.datasets.problems import Problem, shown
from sweep.storage.text import counted

LIST = re.compile(r"\[.*\]")  # `['cat', 'dog']`, as Python writes lists
LISTED = re.compile(r"[^\[\]'\",\s][^\[\]'\",]*")
BAR = "|"
SEPARATORS = (" ", BAR, ",", ";")
ONE_OF_SEVERAL = "an image must have one label, for several labels an image cannot be trained on yet"


def read_labels(
    values: Sequence[str], separator: str | None, place: str
) -> tuple[list[str], list[str], Problem | None]:
    """Returns the label of each value, phrases on what was inferred, and the problem that images have several labels.

    Args:
      values: the values of the column.
      separator: the text between labels; empty if each value is one label, whatever it holds; None to infer it.
      place: path of the table, for messages.
    """
    if separator is None and values and all(WITH_BOXES.fullmatch(value) for value in values if value):
        return [value.partition(" ")[0] for value in values], ["the label stands before the box"], None
    if separator is None and values and all(map(LIST.fullmatch, values)):
        values, separator = [BAR.join(LISTED.findall(value)) for value in values], BAR
    separator = _separator(values) if separator is None else separator
    if not separator:
        return list(values), [], None
    parts = [[part.strip() for part in value.split(separator) if part.strip()] for value in values]
    with_several = [value for value, labels in zip(values, parts, strict=True) if len(labels) > 1]
    if with_several:
        rest = f" and {counted(len(with_several) - 1, 'more image')} with several" if with_several[1:] else ""
        got = f"{shown(with_several[0])}{rest}, split at {shown(separator)}"
        way_out = "give --labels-separator '' to take each combination as a label of its own"
        return list(values), [], Problem(place, ONE_OF_SEVERAL, got, way_out)
    return ["".join(labels) for labels in parts], [], None


def _separator(values: Sequence[str]) -> str:
    """Returns the text between labels, if these also occur alone; empty if each value is one label."""
    counts = Counter(values)
    for separator in SEPARATORS:
        candidates = [value for value in counts if separator in value.strip()]
        parts = Counter(part for value in candidates for part in value.split(separator))
        single_labels = [part for part in parts if part in counts]
        if single_labels and all(part in counts or times > 1 for part, times in parts.items()):
            return separator
        if separator == BAR and max(parts.values(), default=0) > 1:  # a bar is hardly ever part of a name
            return separator
    return ""
