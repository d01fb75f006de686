"""Reads JSON Lines: one object per line, whose keys are the columns."""

import json

from sweep.datasets.problems import Problem
from sweep.datasets.sources.readers import Columns, Reader
from sweep.datasets.sources.readers.json_rows import text_of


def read(data: bytes, place: str, file: str) -> Columns | None:
    """Returns the table, or None if no line is an object."""
    objects, lines, problems = [], [], list[Problem]()
    for number, line in enumerate(data.decode("utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            objects.append(content)
            lines.append(number)
        else:
            problems.append(Problem(f"{place}:{number}", "line must be a JSON object", "", "mend it"))
    if not objects:
        _check_json(data)
        return None
    header = tuple(dict.fromkeys(str(key) for each in objects for key in each))
    rows = tuple(tuple(text_of(each.get(key)) for key in header) for each in objects)
    return Columns(place, file, header, rows, tuple(lines), tuple(problems))


def _check_json(data: bytes) -> None:
    """Checks that a file which begins like JSON is whole.

    Raises:
      ValueError: it is not.
    """
    if data.lstrip()[:1] in (b"{", b"["):
        try:
            json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"must be whole JSON, or a JSON object a line ({error})") from error


READER = Reader((".jsonl", ".ndjson", ".json"), read)
