"""Reads tables with the header `id,label` or `id`, and reports every problem in them with its line."""

import csv
import io
import re
from dataclasses import dataclass

from sweep.datasets.labels import id_problem, label_problem
from sweep.datasets.problems import Problem, printable, shown

HEADERS = (["id", "label"], ["id"])
HEADER_RULE = "header must be `id,label` or `id`"


@dataclass(frozen=True)
class Table:
    """The rows of a table, as they were written.

    Attributes:
      place: path of the table, for messages.
      ids: the first field of each row.
      labels: the second field of each row; None where the header is `id`.
      lines: the line, from 1, on which each row begins.
    """

    place: str
    ids: tuple[str, ...]
    labels: tuple[str, ...] | None
    lines: tuple[int, ...]


def parse_table(data: bytes, place: str) -> tuple[Table | None, list[Problem]]:
    """Parses a table; returns its good rows and a problem for each of the others.

    A byte order mark and any kind of line ending are accepted.

    Args:
      data: the bytes of the file.
      place: path of the table, for messages.

    Returns:
      The table, which is None if not even the header can be read, and the problems in the order of the lines.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(re.split(rb"\r\n?|\n", data[: error.start]))
        got = f"byte 0x{data[error.start]:02x}"
        return None, [Problem(f"{place}:{line}", "text must be UTF-8", got, "save the file as UTF-8")]
    if not text.strip():
        return None, [Problem(f"{place}:1", "a table must have rows", "an empty file", "fetch it again")]

    rows: list[tuple[int, list[str]]] = []
    problems: list[Problem] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1  # on which the row begins; a quoted field may continue on the lines below
    try:
        for row in reader:
            if not rows and row not in HEADERS:
                # Refused before the rest is read, because a CSV that holds the pixels of images in its rows is large.
                got = shown(",".join(row))
                return None, [Problem(f"{place}:1", HEADER_RULE, got, "write it as the first line")]
            rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(
            Problem(f"{place}:{line}", f"row must be valid CSV, got: {printable(str(error))}", "", "mend its quotes")
        )
    if not rows:
        return None, problems
    (_, header), *rows = rows
    if not rows and not problems:
        problems.append(Problem(f"{place}:2", "a row must follow the header", "none", "list the images, one a line"))

    rows_by_id: dict[str, tuple[int, list[str]]] = {}
    for line, row in rows:
        problem = _row_problem(row, header, f"{place}:{line}")
        if not problem and row[0] in rows_by_id:
            problem = _duplicate_problem(row, *rows_by_id[row[0]], f"{place}:{line}")
        if problem:
            problems.append(problem)
        else:
            rows_by_id[row[0]] = (line, row)
    good_rows = list(rows_by_id.values())
    labels = tuple(row[1] for _, row in good_rows) if len(header) == 2 else None
    return Table(place, tuple(row[0] for _, row in good_rows), labels, tuple(line for line, _ in good_rows)), problems


def _row_problem(row: list[str], header: list[str], place: str) -> Problem | None:
    """Returns the first rule that a row breaks, or None."""
    if not row:
        return Problem(place, "row must not be blank", "", "remove the line")
    if len(row) != len(header):
        rule, got = f"row must have the fields `{','.join(header)}`", f"{len(row)}: {shown(','.join(row))}"
        return Problem(place, rule, got, "mend the row (quote a comma in a name)")
    return id_problem(row[0], place) or (label_problem(row[1], place) if len(row) == 2 else None)


def _duplicate_problem(row: list[str], first_line: int, first_row: list[str], place: str) -> Problem:
    """Returns the problem of a row whose id is already on an earlier line.

    Args:
      row: the row in question.
      first_line: the line on which its id came first.
      first_row: the row on that line.
      place: path and line of `row`.
    """
    rule = f"id must be unique, {shown(row[0])} already stands on line {first_line}"
    if first_row == row:
        return Problem(place, rule, "", "remove one")
    return Problem(place, f"{rule} with label {shown(first_row[1])}, here {shown(row[1])}", "", "keep one")
