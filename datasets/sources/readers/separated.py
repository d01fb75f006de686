"""Tables of text: fields between commas, tabs, semicolons, bars or spaces, or one field a line."""

import codecs
import csv
import io
from collections import Counter

from datasets.problems import Problem, shown
from datasets.sources.readers import Columns, Reader

SEPARATORS = (",", "\t", ";", "|")
PROBED = 200  # lines from which the separator is known
MOSTLY = 0.9  # of the lines must have as many fields
DECODED = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # as spreadsheets save "Unicode text"


def read(data: bytes, place: str, file: str) -> Columns | None:
    text = data.decode(DECODED.get(data[:2], "utf-8-sig"))
    if "\0" in text:
        return None
    probed = [line for line in text[: PROBED << 12].splitlines()[:PROBED] if line.strip()]
    if not probed:
        return None
    separator = _separator(probed)
    rows, lines, problems = _rows(text, separator, place)
    if not rows:
        return None
    (width, _), *_ = Counter(map(len, rows)).most_common(1)
    width = max(width, len(rows[0])) if len(rows) > 1 and len(rows[0]) > width and not rows[0][width:] else width
    good = [number for number, row in enumerate(rows) if len(row) == width]
    for number, row in enumerate(rows):
        if len(row) != width:
            rule, got = f"row must have {width} fields as the others", f"{len(row)}: {shown(','.join(row))}"
            problems.append(Problem(f"{place}:{lines[number]}", rule, got, "mend the row (quote a comma in a name)"))
    kept, on = tuple(tuple(rows[number]) for number in good), tuple(lines[number] for number in good)
    return Columns(place, file, None, kept, on, tuple(problems))


def _separator(lines: list[str]) -> str | None:
    """Returns what stands between the fields; None where a line is one field, a space for any number of them."""
    for separator in SEPARATORS:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=separator))
        count, times = counts.most_common(1)[0]
        if count > 1 and times >= MOSTLY * len(lines):
            return separator
    widths = {len(line.split()) for line in lines}
    is_list = len(widths) == 1 and widths != {1}
    return " " if is_list or all(_ends_in_number(line) for line in lines) else None


def _ends_in_number(line: str) -> bool:
    """Says whether a line is a name, which may hold spaces, and a whole number."""
    parts = line.rsplit(None, 1)
    return len(parts) == 2 and parts[1].lstrip("+-").isdigit()


def _rows(text: str, separator: str | None, place: str) -> tuple[list[list[str]], list[int], list[Problem]]:
    """Returns the rows that are not blank, the line of each, and what is wrong."""
    if separator in (None, " "):
        pairs = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
        widths = {len(line.split()) for _, line in pairs}
        most = -1 if len(widths) == 1 else 1
        rows = [[line.strip()] if separator is None else _fields(line, most) for _, line in pairs]
        return rows, [number for number, _ in pairs], []
    rows, lines = [], []
    line = 1  # on which a row begins; an open quote takes the lines after it into the row
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator or ",", strict=True)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                rows.append([field.strip() for field in row])
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        rule = f"row must be valid CSV, got: {error}"
        return rows, lines, [Problem(f"{place}:{line}", rule, "", "mend its quotes")]
    return rows, lines, []


def _fields(line: str, most: int) -> list[str]:
    return line.split() if most < 0 else line.rsplit(None, most)


READER = Reader((".csv", ".tsv", ".txt", ".lst", ".list", ".tab"), read)
