"""Explains why a table names no image: which columns it has, which files it should name, and what to do."""

import re
from collections.abc import Sequence

from sweep.datasets.file_tree import FileTree
from sweep.datasets.listing_rules.rules_3 import SUFFIXES
from sweep.datasets.problems import Problem, shown
from sweep.datasets.sources.images import image_files
from sweep.datasets.sources.no_pixels import why_no_pixels
from sweep.datasets.sources.readers import Columns
from sweep.datasets.sources.readers.separated import SEPARATORS
from sweep.datasets.sources.roles import ID_WORDS
from sweep.datasets.sources.split_names import words_of
from sweep.storage.text import counted

PROBED = 20  # rows by which a column is judged
SHOWN = 8  # how many columns a message lists
ADDRESS = re.compile(r"(https?|ftp|s3|gs)://", re.IGNORECASE)


def names_no_image(tree: FileTree, columns: Columns) -> Problem:
    """Returns the problem of a table that names none of the images."""
    header, rows = _with_header(columns)
    images = image_files(tree)
    if not rows:
        got = f"the header {', '.join(map(shown, header[:SHOWN]))} alone"
        return Problem(columns.place, "a table must have rows", got, "fetch it again, or add a row an image")
    if problem := ragged(columns) or next(iter(columns.problems), None):
        return problem
    if not images and (pixels := why_no_pixels(header, rows[:PROBED])):
        return Problem(columns.place, *pixels)
    number, value = _likely_column(header, rows)
    column = shown(header[number])
    names = ", ".join(map(shown, header[:SHOWN])) + (", ..." if len(header) > SHOWN else "")
    names += "".join(f", {shown(name)} (neither text nor numbers)" for name in columns.unread)
    names_text = f"of which {column} names {shown(value)}, and no such file is there"
    if not value:
        names_text = "none of which names image files"
    rule, content = "the images of a table must be in the data", "no image"
    if images:
        rule = "a column must name the images by their files, with or without suffix and folder"
        content = f"{counted(len(images), 'image')} such as {shown(images[0])}"
    if ADDRESS.match(value):
        way_out = f"download the images into the folder of the table, named as in {column}, and give that as the data"
    elif columns.unread and not images:
        way_out = "a Parquet file may hold images as the bytes of PNG or JPEG files, alone or as {bytes, path}"
    elif images:
        way_out = "correct the names, or give another column with --id-column"
    elif value:
        way_out = "give the folder that holds the table and its images as the data"
    else:
        way_out = "add the images, and a column with the names of their files"
    return Problem(columns.place, rule, f"{content}, and the columns {names}, {names_text}", way_out)


def _with_header(columns: Columns) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Returns the names of the columns and the rows; the first row is the header unless it holds numbers or files."""
    if columns.header:
        return columns.header, columns.rows
    first = columns.rows[0]
    if any(field.isdigit() or _is_file(field) for field in first):
        return [f"column {number}" for number in range(1, len(first) + 1)], columns.rows
    return first, columns.rows[1:]


def ragged(columns: Columns) -> Problem | None:
    """Returns the problem of a table whose rows have different numbers of fields, so that it was read as one column."""
    if columns.width != 1 or columns.header:
        return None
    (first,), *rows = columns.rows
    separator = max(SEPARATORS, key=first.count)
    if separator not in first:
        return None
    for line, (row,) in zip(columns.lines[1:], rows, strict=True):
        if row.count(separator) != first.count(separator) or row.count('"') % 2:
            rule = f"row must have the fields of the header, {shown(first)}"
            return Problem(f"{columns.place}:{line}", rule, shown(row), "mend the row (its quotes, a comma in a name)")
    return None


def _likely_column(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, str]:
    """Returns the column that is likely meant to name images, and its first value; an empty value if none is."""
    for predicate in (_is_file, str.strip):
        for number, name in enumerate(header):
            values = [row[number] for row in rows[:PROBED]]
            is_named = predicate is _is_file or any(word in ID_WORDS for word in words_of(name))
            if is_named and values and all(map(predicate, values)):
                return number, values[0]
    return 0, ""


def _is_file(value: str) -> bool:
    """Returns whether a value is an address on the network, or has the suffix of an image."""
    return ADDRESS.match(value) is not None or value.lower().endswith(SUFFIXES)
