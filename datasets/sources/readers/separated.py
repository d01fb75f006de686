"""Reads tables of text, with commas, tabs, semicolons, bars or spaces between fields, or one field per line."""

import csv
import io
from collections import Counter

from sweep.datasets.problems import Problem, printable, shown
from sweep.datasets.sources.readers import Columns, Reader
from sweep.datasets.sources.readers.texts import decoded, without_preface

SEPARATORS = (",", "\t", ";", "|")
KEY_FIRST = "first space"  # separates the first word of a line from the rest
PROBED = 200  # lines by which the separator is recognised
MOSTLY = 0.9  # the share of lines that must have the same number of fields


def read(data: bytes, place: str, file: str) -> Columns | None:
    """Returns the table, or None if it has no rows.

    Raises:
      ValueError: it is not text.
    """
    text, encoding = decoded(data)
    if "\0" in text:
        raise ValueError("must be text, and not have zero bytes (as UTF-16 without its mark has)")
    text, separator = without_preface(text)
    first_lines = [line for line in text[: PROBED << 12].splitlines()[:PROBED] if line.strip()]
    if not first_lines:
        return None
    separator = separator or _separator(first_lines)
    rows, lines, problems = _rows(text, separator, place)
    if not rows:
        return None
    if len(rows) > 2 and {len(row) for row in rows[1:]} == {len(rows[0]) + 1}:
        rows[0] = ["", *rows[0]]  # R writes names of rows, without a name for their column in the header
    (width, _), *_ = Counter(map(len, rows)).most_common(1)
    width = max(width, len(rows[0])) if len(rows) > 1 and len(rows[0]) > width and not rows[0][width:] else width
    if separator in SEPARATORS:
        _mend_last(rows, width, separator)
    valid_rows = [number for number, row in enumerate(rows) if len(row) == width]
    for number, row in enumerate(rows):
        if len(row) != width:
            rule, got = f"row must have {width} fields as the others", f"{len(row)}: {shown(','.join(row))}"
            problems.append(Problem(f"{place}:{lines[number]}", rule, got, "mend the row (quote a comma in a name)"))
    cells = tuple(tuple(rows[number]) for number in valid_rows)
    line_numbers = tuple(lines[number] for number in valid_rows)
    return Columns(
        place,
        file,
        None,
        cells,
        line_numbers,
        tuple(problems),
        encoding=encoding,
        separator=separator if separator in (*SEPARATORS, " ") else ",",
    )


def _separator(lines: list[str]) -> str | None:
    """Returns the text between fields: a space for any number of spaces; None if each line is one field."""
    likely = [separator for separator in SEPARATORS if _share(lines, separator) >= MOSTLY]
    if likely:  # a separator that splits all lines alike is preferred to one that only happens to be in most
        return next((separator for separator in likely if _share(lines, separator) == 1), likely[0])
    if _is_list(lines) or all(_ends_in_number(line) for line in lines):
        return " "
    return KEY_FIRST if _begin_with_key(lines) else None


def _share(lines: list[str], separator: str) -> float:
    """Returns the share of lines that a separator splits into the most common number of fields; 0 if that is one."""
    try:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=separator))
    except csv.Error:  # a field with an open quote
        return 0
    count, times = counts.most_common(1)[0]
    return times / len(lines) if count > 1 else 0


def _is_list(lines: list[str]) -> bool:
    """Returns whether spaces split each line into the same number of fields; a header may lack the first one."""
    widths = {len(line.split()) for line in lines}
    first, others = len(lines[0].split()), {len(line.split()) for line in lines[1:]}
    return widths != {1} and (len(widths) == 1 or (len(lines) > 2 and others == {first + 1}))


def _begin_with_key(lines: list[str]) -> bool:
    """Returns whether each line is a unique word and a label, which may contain spaces: `0034309 Boeing 707`."""
    parts = [line.split(None, 1) for line in lines]
    if any(len(part) != 2 for part in parts):
        return False
    keys, labels = {key for key, _ in parts}, {label.strip() for _, label in parts}
    return len(keys) == len(lines) and len(labels) <= max(1, len(lines) // 2)


def _ends_in_number(line: str) -> bool:
    """Returns whether a line is a name, which may contain spaces, followed by a whole number."""
    parts = line.rsplit(None, 1)
    return len(parts) == 2 and parts[1].lstrip("+-").isdigit()


def _rows(text: str, separator: str | None, place: str) -> tuple[list[list[str]], list[int], list[Problem]]:
    """Returns the rows that are not blank, the line of each, and problems."""
    if separator in (None, " ", KEY_FIRST):
        pairs = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
        is_list = _is_list([line for _, line in pairs])
        rows = [_fields(line, separator, is_list) for _, line in pairs]
        return rows, [number for number, _ in pairs], []
    rows, lines = [], []
    line = 1  # on which the row begins; a quoted field may continue on the lines below
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator or ",", strict=True)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                rows.append([field.strip() for field in row])
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        rule = f"row must be valid CSV, got: {printable(str(error))}"
        return rows, lines, [Problem(f"{place}:{line}", rule, "", "mend its quotes")]
    return rows, lines, []


def _fields(line: str, separator: str | None, is_list: bool) -> list[str]:
    """Returns the fields of a line that is not CSV."""
    if separator is None:
        return [line.strip()]
    if separator == KEY_FIRST:
        return [part.strip() for part in line.split(None, 1)]
    return line.split() if is_list else line.rsplit(None, 1)


def _mend_last(rows: list[list[str]], width: int, separator: str) -> None:
    """Rejoins the last field of rows in which it contains the separator, as free text without quotes does.

    The last column counts as free text if its values rarely repeat, and if each field before it also occurs in other
    rows of its column, or that column never repeats a value.
    """
    *earlier_counts, last_counts = (Counter(row[index] for row in rows if len(row) == width) for index in range(width))
    if not earlier_counts or len(last_counts) <= MOSTLY * last_counts.total():
        return
    for row in rows:
        pairs = zip(row, earlier_counts, strict=False)
        if len(row) > width and all(field in column or max(column.values()) == 1 for field, column in pairs):
            row[width - 1 :] = [separator.join(row[width - 1 :])]


READER = Reader((".csv", ".tsv", ".txt", ".lst", ".list", ".tab"), read)
