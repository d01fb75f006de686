"""Finds the reason why numbers in a table are not pixels: they make no square, or are not from 0 to 255."""

import re
from collections.abc import Sequence

from sweep.datasets.problems import shown
from sweep.datasets.trees.pixel_columns import LABELS, square_shape

FEWEST = 16  # numbers in a row of pixels; fewer are measurements
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)
BETWEEN = re.compile(r"[\s,;|]+")
AS_ARRAYS = "numpy.savez('data.npz', train_images=..., train_labels=...)"


def why_no_pixels(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, str, str] | None:
    """Returns the rule that a table with images as numbers in its rows breaks, what was found, and the way out.

    It returns None if the table has no such numbers, or if they are pixels.
    """
    numbers = _numbers_in_one(header, rows) or _numbers_in_columns(header, rows)
    if numbers is None:
        return None
    phrase, values = numbers
    # One of the columns of numbers may be the label.
    count = next((count for count in (len(values), len(values) - 1) if square_shape(count)), 0)
    if not count:
        rule = "pixels of a table must make a square image: 64 numbers a row for 8x8, 784 for 28x28, 3,072 in colour"
        return rule, f"{len(values):,} {phrase}", f"save them as an array of images: {AS_ARRAYS}"
    value = next((value for value in values[-count:] if not (value.isdigit() and int(value) <= 255)), "")
    if not value:
        return None
    rule = "pixels of a table must be whole numbers from 0 to 255"
    way_out = f"write them so, or save them as an array (floats from 0 to 1 are read there): {AS_ARRAYS}"
    return rule, f"{shown(value)} among {len(values):,} {phrase}", way_out


def _numbers_in_one(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, list[str]] | None:
    """Returns a phrase about the column that holds all numbers of an image, and the first row of them; else None."""
    for number, name in enumerate(header):
        fields = [BETWEEN.split(row[number].strip("[] ")) for row in rows]
        if fields and all(len(values) >= FEWEST and all(map(NUMBER.fullmatch, values)) for values in fields):
            return f"numbers in column {shown(name)}", fields[0]
    return None


def _numbers_in_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, list[str]] | None:
    """Returns a phrase about the columns of numbers, if they are many, and the numbers in the first row; else None."""
    others = [number for number, name in enumerate(header) if name.lower() not in (*LABELS, "id")]
    numbers = [number for number in others if all(NUMBER.fullmatch(row[number]) for row in rows)]
    if not rows or len(numbers) < FEWEST:
        return None
    first, last = (shown(header[number]) for number in (numbers[0], numbers[-1]))
    return f"columns of numbers ({first} to {last})", [rows[0][number] for number in numbers]
