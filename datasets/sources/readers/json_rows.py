"""Reads JSON that is a list of objects with the same keys, or an object that gives each image its label."""

import json
from typing import Any

from sweep.datasets.sources.readers import Columns, Reader


def read(data: bytes, place: str, file: str) -> Columns | None:
    """Returns the table, or None if the JSON has another form."""
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict) and content and all(isinstance(value, str | int) for value in content.values()):
        pairs = tuple((str(key), text_of(value)) for key, value in content.items())
        return Columns(place, file, ("image", "label"), pairs, tuple(range(1, len(pairs) + 1)))
    if not isinstance(content, list) or not content or not all(isinstance(each, dict) for each in content):
        return None
    header = tuple(dict.fromkeys(str(key) for each in content for key in each))
    rows = tuple(tuple(text_of(each.get(key)) for key in header) for each in content)
    return Columns(place, file, header, rows, tuple(range(1, len(rows) + 1)))


def text_of(value: Any) -> str:
    """Returns a value as the text of a cell: empty for null, with bars between several texts or numbers."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return "|".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


READER = Reader((".json",), read)
