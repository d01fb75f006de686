"""CSVs with the pixels of an image in each row: a column for each pixel (MNIST), or all in one column (FER2013).

The file is read through once to find the place of each row; the pixels of a row are read when they are asked for.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sweep.datasets.problems import DataError, Findings, shown
from sweep.datasets.trees import Kind, Opening, PixelsError, RowNames, Rows, Store
from sweep.datasets.trees.npy import HEADER_BYTES, npy_bytes
from sweep.datasets.trees.regions import Region
from sweep.datasets.trees.unpacked import CHUNK
from sweep.storage.text import counted

HEAD = 1 << 20  # bytes by which the columns are recognised; enough for a row of 256x256 px
CHECKED_LINES = 3  # whose fields must all be pixels
MOST_LINE = 16 << 20  # bytes of the longest line
MIN_SIDE = 8  # px
CHANNELS = (1, 3, 4)
NUMBERED = re.compile(r"(\D*)\d+(?:[x_.,-]\d+)?")  # `pixel12`, `12`, `3x4`
LABELS = ("label", "labels", "class", "class_name", "target", "y", "emotion", "digit", "letter")


@dataclass(frozen=True)
class ColumnLayout:
    """The columns of a CSV that hold the pixels.

    Attributes:
      header: the names of all columns.
      is_named: the first line holds these names.
      separator: the character between columns.
      start: the first column of pixels.
      stop: the column after the last one of pixels.
      in_one: the pixels are in one column, with spaces between them.
      shape: the shape of an image, (H, W) or (H, W, C).
    """

    header: tuple[str, ...]
    is_named: bool
    separator: str
    start: int
    stop: int
    in_one: bool
    shape: tuple[int, ...]

    @property
    def others(self) -> list[str]:
        """The names of the columns that hold no pixels."""
        return [*self.header[: self.start], *self.header[self.stop :]]


def find_layout(head: bytes) -> ColumnLayout | None:
    """Returns the layout of a CSV with pixels, by its first bytes; None if it holds none."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    lines = text.splitlines()
    if len(head) >= HEAD:
        lines = lines[:-1]  # the last line may be cut
    if not lines:
        return None
    separator = max(",;\t", key=lines[0].count)
    try:
        first, *rest = csv.reader(lines, delimiter=separator)
    except csv.Error:  # a field with an open quote
        return None
    is_named = not all(_is_integer(value) for value in first if " " not in value.strip())
    rows = rest if is_named else [first, *rest]
    rows = [row for row in rows if row]
    if not rows or any(len(row) != len(first) for row in rows[:CHECKED_LINES]):
        return None
    header = tuple(value.strip() for value in first) if is_named else tuple(f"column {i}" for i in range(len(first)))
    for column in range(len(first)):
        shape = square_shape(len(rows[0][column].split(" ")))
        if shape and all(_are_pixels(row[column].split(" ")) for row in rows[:CHECKED_LINES]):
            return ColumnLayout(header, is_named, separator, column, column + 1, True, shape)
    for start, stop in _pixel_ranges(header, is_named, rows):
        shape = square_shape(stop - start)
        if shape and all(_are_pixels(row[start:stop]) for row in rows[:CHECKED_LINES]):
            return ColumnLayout(header, is_named, separator, start, stop, False, shape)
    return None


def _pixel_ranges(header: tuple[str, ...], is_named: bool, rows: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Returns ranges [start, stop) of columns to try as pixels, the likeliest first.

    With a header these are the only square block of columns that are numbered alike, else all columns but a label in
    the first or last one. Without a header these are all columns if their number is square, else all but a label.

    Args:
      rows: the fields of the first lines, by which the label is told from a pixel if no name says it.
    """
    count = len(header)
    if is_named:
        runs: list[list[int]] = []
        for column, name in enumerate(header):
            match = NUMBERED.fullmatch(name)
            previous = NUMBERED.fullmatch(header[column - 1]) if column else None
            if match and previous and match[1] == previous[1] and runs and runs[-1][1] == column:
                runs[-1][1] = column + 1
            elif match:
                runs.append([column, column + 1])
        square_runs = [(start, stop) for start, stop in runs if square_shape(stop - start)]
        if square_runs:
            return square_runs if len(square_runs) == 1 else []  # several such ranges are measurements, not pixels
        label = next((column for column, name in enumerate(header) if name.lower() in LABELS), None)
        if label not in (None, 0, count - 1):
            return []
        if label is not None:
            return [(0, count - 1)] if label == count - 1 else [(1, count)]
    elif square_shape(count):
        return [(0, count)]
    if not square_shape(count - 1):
        return []
    ranges = [(1, count), (0, count - 1)]
    return ranges[::-1] if _is_last_the_label(rows) else ranges


def _is_last_the_label(rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether the last column holds the label, and not the first one, as mostly.

    A pixel at the edge of an image resembles the one beside it, or is as black; a label mostly is another number. If
    the rows are in the order of their labels, these lines may all have the same one. A column with words is the label.
    """
    table = [row for row in rows if len(row) == len(rows[0])]
    ends = [[(row[end], row[beside]) for row in table] for end, beside in ((0, 1), (-1, -2))]
    are_numbers = [all(_is_integer(value) for pair in pairs for value in pair) for pairs in ends]
    if not all(are_numbers):
        return are_numbers[0]
    first, last = ([abs(int(value) - int(beside)) for value, beside in pairs] for pairs in ends)
    return sum(last) > sum(first) and sum(map(bool, last)) > len(last) / 2


def square_shape(count: int) -> tuple[int, ...] | None:
    """Returns the shape of a square image with this many values, or None."""
    for channels in CHANNELS:
        side = math.isqrt(count // channels)
        if side >= MIN_SIDE and side * side * channels == count:
            return (side, side) if channels == 1 else (side, side, channels)
    return None


def _is_integer(value: str) -> bool:
    """Returns whether a text is a whole number."""
    return re.fullmatch(r"\s*\d+\s*", value) is not None


def _are_pixels(values: Sequence[str]) -> bool:
    """Returns whether all texts are whole numbers from 0 to 255."""
    return all(_is_integer(value) and int(value) <= 255 for value in values)


class PixelColumns(Store):
    """The images and the other columns of a CSV with pixels."""

    has_rows = True

    def __init__(self, opening: Opening, layout: ColumnLayout) -> None:
        super().__init__()
        self._region, self._layout = opening.region, layout
        other_columns: list[list[str]] = [[] for _ in layout.others]
        places: list[int] = []
        findings = Findings()
        for number, (start, line) in enumerate(_lines(opening.region), 1):
            if not line.strip() or (number == 1 and layout.is_named):
                continue
            values = _other_fields(line, layout)
            if values is None:
                rule = f"row must have {counted(len(layout.header), 'field')}"
                got = shown(line[:80].decode("utf-8", "replace"))
                findings.refuse(f"{opening.place}:{number}", rule, got, "mend or remove it")
                continue
            places += (start, start + len(line))
            for column, value in zip(other_columns, values, strict=True):
                column.append(value)
        if findings.problems:
            raise DataError(findings.problems)
        self._places = np.array(places, np.int64).reshape(-1, 2)
        names = RowNames("", len(self._places))
        self.files = dict.fromkeys(names, HEADER_BYTES + math.prod(layout.shape))
        columns = {name: _Values(tuple(column)) for name, column in zip(layout.others, other_columns, strict=True)}
        self.tables = [Rows("", {"pixels": names}, dict(columns))]
        if len(layout.shape) == 3:
            colours = "red, green, blue" + (", opacity" if layout.shape[2] == 4 else "")
            self.notes.append(f"{opening.place}: its pixels are read as {colours} of one pixel after the other.")

    def read(self, name: str, count: int) -> bytes:
        """Returns the pixels of a row as a `.npy` file."""
        start, stop = map(int, self._places[int(name)])
        layout = self._layout
        fields = _fields(self._region.read(start, stop - start), layout)
        pixels = (
            fields[layout.start].split() if layout.in_one else [*map(str.strip, fields[layout.start : layout.stop])]
        )
        digits = "".join(pixels)
        values = [*map(int, pixels)] if all(pixels) and digits.isascii() and digits.isdigit() else []
        if len(values) != math.prod(layout.shape) or max(values) > 255:
            rule = f"other than {math.prod(layout.shape):,} whole numbers from 0 to 255"
            raise PixelsError(rule, "mend the pixels of the row, or remove it")
        return npy_bytes(np.array(values, np.uint8).reshape(layout.shape))


@dataclass(frozen=True)
class _Values:
    """A function that returns a column which is in memory."""

    values: tuple[str, ...]

    def __call__(self) -> Sequence[str]:
        return self.values


def _lines(region: Region) -> Iterator[tuple[int, bytes]]:
    """Yields the place and the bytes of each line, without its line break."""
    start, rest, place = 0, b"", 0
    while chunk := region.read(place, CHUNK):
        place += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield start, line.removesuffix(b"\r")
            start += len(line) + 1
        if len(rest) > MOST_LINE:
            raise ValueError(f"a line of more than {MOST_LINE >> 20} MiB")
    if rest:
        yield start, rest.removesuffix(b"\r")


def _fields(line: bytes, layout: ColumnLayout) -> list[str]:
    """Returns the fields of a line."""
    text = line.decode("utf-8-sig")
    if '"' in text:
        return next(csv.reader(io.StringIO(text), delimiter=layout.separator), [])
    return text.split(layout.separator)


def _other_fields(line: bytes, layout: ColumnLayout) -> list[str] | None:
    """Returns the fields of a row that are not pixels; None if it has the wrong number of fields."""
    if b'"' not in line:
        if line.count(layout.separator.encode()) != len(layout.header) - 1:
            return None
        first_fields = line.split(layout.separator.encode(), layout.start)[: layout.start]
        last_count = len(layout.header) - layout.stop
        last_fields = line.rsplit(layout.separator.encode(), last_count)[1:] if last_count else []
        return [value.decode("utf-8-sig").strip() for value in (*first_fields, *last_fields)]
    fields = _fields(line, layout)
    if len(fields) != len(layout.header):
        return None
    return [value.strip() for value in (*fields[: layout.start], *fields[layout.stop :])]


def _open(opening: Opening) -> Store | None:
    layout = find_layout(opening.region.read(0, HEAD))
    return PixelColumns(opening, layout) if layout else None


KIND = Kind("CSV with pixels", lambda name, head: name.endswith((".csv", ".tsv")), _open)
