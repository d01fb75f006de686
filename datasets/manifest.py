"""Tables of `id,label` or `id`: read with every problem named, written byte for byte."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.errors import UserError

HEADERS = (["id", "label"], ["id"])
SHOWN = 20  # problems in the text of an error
INVISIBLE = {"Cc": "a control character", "Cs": "a byte that is not UTF-8", "Zl": "a line break", "Zp": "a line break"}
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # makes a name look like another


class DataError(UserError, ValueError):
    """The data breaks a rule; all its problems, a line each: where, the rule, the value, the way out."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        more = len(self.problems) - SHOWN
        return "\n".join(self.problems[:SHOWN] + ([f"... and {more} more"] if more > 0 else []))


@dataclass(frozen=True)
class Table:
    """A manifest as it was written.

    Attributes:
      place: path shown in messages.
      labels: one an id; None where the header is `id`.
      lines: the line, from 1, on which each id stands.
    """

    place: str
    ids: tuple[str, ...]
    labels: tuple[str, ...] | None
    lines: tuple[int, ...]


def read_table(data: bytes, place: str) -> Table:
    """Reads a manifest that must be without fault.

    Raises:
      DataError: with all problems of the table.
    """
    table, problems = parse_table(data, place)
    if table is None or problems:
        raise DataError(problems)
    return table


def parse_table(data: bytes, place: str) -> tuple[Table | None, list[str]]:
    """The good rows of a manifest, and its problems; a byte order mark and any line ending are accepted.

    Args:
      place: path of the table, for messages.

    Returns:
      None for the table where not even its header can be read.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(re.split(rb"\r\n?|\n", data[: error.start]))
        got = f"byte 0x{data[error.start]:02x}"
        return None, [f"{place}:{line}: text must be UTF-8, got {got}; save the file as UTF-8"]
    if not text.strip():
        return None, [f"{place}:1: header must be `id,label` or `id`, got an empty file; fetch it again"]

    rows: list[tuple[int, list[str]]] = []
    problems: list[str] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1  # on which a row begins; an open quote takes the lines after it into the row
    try:
        for row in reader:
            rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(f"{place}:{line}: row must be valid CSV, got: {error}; mend its quotes")
    if not rows:
        return None, problems
    (_, header), *rows = rows
    if header not in HEADERS:
        got = shown(",".join(header))
        return None, [f"{place}:1: header must be `id,label` or `id`, got {got}; write it as the first line"]
    if not rows and not problems:
        problems.append(f"{place}:2: a row must follow the header, got none; list the images, one a line")

    seen: dict[str, tuple[int, list[str]]] = {}
    for line, row in rows:
        rule = _row_problem(row, header)
        if not rule and row[0] in seen:
            first, before = seen[row[0]]
            rule = f"id must be unique, {shown(row[0])} already stands on line {first}"
            rule += (
                "; remove one" if before == row else f" with label {shown(before[1])}, here {shown(row[1])}; keep one"
            )
        if rule:
            problems.append(f"{place}:{line}: {rule}")
        else:
            seen[row[0]] = (line, row)
    good = list(seen.values())
    labels = tuple(row[1] for _, row in good) if len(header) == 2 else None
    return Table(place, tuple(row[0] for _, row in good), labels, tuple(line for line, _ in good)), problems


def _row_problem(row: list[str], header: list[str]) -> str | None:
    if not row:
        return "row must not be blank; remove the line"
    if len(row) != len(header):
        got = f"{len(row)}: {shown(','.join(row))}"
        return f"row must have the fields `{','.join(header)}`, got {got}; mend the row (quote a comma in a name)"
    return id_problem(row[0]) or (label_problem(row[1]) if len(row) == 2 else None)


def id_problem(name: str) -> str | None:
    """The rule that an id breaks, or None: it must be a relative path that is safe to open, print and put in a CSV."""
    rule = _text_problem(name)
    if not rule and name[0] in "=+-@":
        rule = f"must not begin with `{name[0]}` (a spreadsheet would run it)"
    parts = name.split("/")
    if not rule and ("\\" in name or re.match("[A-Za-z]:|~", name) or not all(part.strip(".") for part in parts)):
        rule = "must be a relative path without empty parts, `.`, `..`, `~`, backslash or drive"
    if not rule and max(len(part.encode()) for part in parts) > 255:
        rule = "must have at most 255 bytes between slashes"
    return rule and f"id {rule}, got {shown(name)}; rename the file and the id"


def label_problem(label: str) -> str | None:
    """The rule that a label breaks, or None; it comes back in a CSV as it was written."""
    rule = _text_problem(label)
    if not rule and label[0] in "=+-@" and _number(label) is None:
        rule = f"must not begin with `{label[0]}` (a spreadsheet would run it)"
    if not rule and len(label.encode()) > 255:
        rule = "must have at most 255 bytes"
    return rule and f"label {rule}, got {shown(label)}; give it another"


def _text_problem(text: str) -> str | None:
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


def shown(text: str) -> str:
    """A value as a message shows it: quoted, unprintable characters escaped, at most 120 long."""
    text = printable(text)
    return f"`{text if len(text) <= 120 else text[:117] + '...'}`"


def printable(text: str) -> str:
    """With unprintable characters escaped: a place as a message shows it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def sort_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels, sorted as numbers where all are whole numbers, else as text."""
    classes = sorted(set(labels))
    if all(re.fullmatch(r"[+-]?\d+", label) for label in classes):
        classes.sort(key=int)
    return tuple(classes)


def meaning(label: str) -> float | str:
    """Equal for labels that are one label written in two ways: `1`, `01` and `1.0`, or two Unicode forms."""
    number = _number(label)
    return unicodedata.normalize("NFC", label) if number is None else number


def _number(label: str) -> float | None:
    if "_" in label:  # Python would read `1_0` as 10
        return None
    try:
        return int(label)  # exact, however long
    except ValueError:
        pass
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def predictions_table(ids: Sequence[str], labels: Sequence[str]) -> bytes:
    """The bytes of a prediction file: header `id,label`, a row an id, in the order given.

    Raises:
      ValueError: `ids` and `labels` differ in length.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "label"])
    writer.writerows(zip(ids, labels, strict=True))
    return text.getvalue().encode()
