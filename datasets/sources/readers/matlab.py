"""Reads MATLAB files up to version 7 that hold labels, names or splits of images; vectors become columns.

SciPy is not used, because it allocates as much memory as a file claims to need, and follows nested cells to any depth.
This reader builds numbers, text, cells and structures, and nothing else.
"""

import math
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.datasets.sources.readers import Columns, Reader
from sweep.datasets.sources.split_names import OF_WORD

BEGINS = b"MATLAB 5.0 MAT-f"
HEADER_BYTES = 128
MOST_BYTES = 32 << 20  # how much of a file is read, unpacked; typical tables have 3 MB
MOST_AXES = 32
MOST_DEPTH = 4  # how deep cells and structures may be nested
MATRIX, PACKED = 14, 15
DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
CELL, STRUCTURE, TEXT, NUMBERS = 1, 2, 4, range(6, 16)
IDS = ("_ids", "_id", "ids", "id", "_idx", "idx")  # endings of the name of a list of images: `trnid`, `train_idx`

# A vector is a list of its values; a structure is a dictionary of lists, with one value for each element.
Value = list[Any] | dict[str, list[Any]]


def read(data: bytes, place: str, file: str) -> Columns | None:
    """Returns the vectors of a file as columns, or None if it is not such a file or holds none.

    Raises:
      ValueError: the file is damaged.
    """
    if not data.startswith(BEGINS):
        return None
    order = ">" if data[HEADER_BYTES - 2 : HEADER_BYTES] == b"MI" else "<"
    try:
        variables = dict(_variables(_Elements(memoryview(data)[HEADER_BYTES:], order)))
    except (struct.error, zlib.error, UnicodeDecodeError, LookupError) as error:
        raise ValueError(f"must be a whole MATLAB file, got {error}") from error
    vectors = dict(_vectors(variables))
    if splits := _splits(vectors):
        return _columns(place, file, {"image": [name for name, _ in splits], "split": [split for _, split in splits]})
    by_length: dict[int, dict[str, list[str]]] = defaultdict(dict)
    for name, values in vectors.items():
        by_length[len(values)][name] = values
    if not by_length:
        return None
    columns = max(by_length.values(), key=lambda group: (len(group), len(next(iter(group.values())))))
    if len(columns) == 1:  # a lone vector must be in the order of the images
        columns = {"row": [str(row + 1) for row in range(len(next(iter(columns.values()))))], **columns}
    return _columns(place, file, columns)


def _columns(place: str, file: str, columns: dict[str, list[str]]) -> Columns:
    """Returns columns of text as a table."""
    rows = tuple(zip(*columns.values(), strict=True))
    return Columns(place, file, tuple(columns), rows, tuple(range(1, len(rows) + 1)))


def _splits(vectors: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Returns the numbers of images with their splits, if all vectors are such lists: `trnid`, `valid`, `tstid`."""
    by_split = {}
    for name, values in vectors.items():
        stem = next((name.removesuffix(end) for end in IDS if name.endswith(end)), name)
        split = OF_WORD.get(stem.lower())
        if split is None or not all(value.isdigit() for value in values):
            return []
        by_split[split] = values
    return [(value, split) for split, values in by_split.items() for value in values] if len(by_split) > 1 else []


def _vectors(variables: Mapping[str, Value]) -> Iterator[tuple[str, list[str]]]:
    """Yields the vectors of two or more values as text, including the vectors in structures."""
    for name, value in variables.items():
        if isinstance(value, dict):
            fields = {key: _single_vector(values) for key, values in value.items()}
            yield from _vectors(fields)
            continue
        texts = [text for each in value if (text := _text(each)) is not None]
        if len(texts) == len(value) > 1:
            yield name, texts


def _single_vector(values: list[Any]) -> list[Any]:
    """Returns the vector in a field of a structure that has one element; otherwise the values themselves."""
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def _text(value: Any) -> str | None:
    """Returns a number or a text, even if it lies in a cell of its own, as text; None for anything else."""
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float | str) else "" if value == [] else None


def _variables(elements: "_Elements") -> Iterator[tuple[str, Value]]:
    """Yields the names and the values of a file's variables, up to `MOST_BYTES`."""
    room = MOST_BYTES
    while elements.has_next():
        kind, body = elements.next()
        if kind == PACKED:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(body, room)
            if unpacker.unconsumed_tail:
                return
            kind, body = _Elements(memoryview(unpacked), elements.order).next()
        room -= len(body)
        if room <= 0:
            return
        if kind == MATRIX:
            name, value = _matrix(_Elements(body, elements.order), 1)
            if value is not None:
                yield name, value


@dataclass
class _Elements:
    """A sequence of data elements in some bytes, which are read one by one."""

    data: memoryview
    order: str
    position: int = 0

    def has_next(self) -> bool:
        """Returns whether an element is left."""
        return self.position < len(self.data)

    def next(self) -> tuple[int, memoryview]:
        """Returns the type and the bytes of the next element.

        Raises:
          ValueError: the data ends before the element does.
        """
        kind, size = struct.unpack_from(f"{self.order}II", self.data, self.position)
        start, padded = self.position + 8, size if kind == PACKED else -(-size // 8) * 8
        if kind >> 16:  # a small element, whose data is in its tag
            kind, size, start, padded = kind & 0xFFFF, kind >> 16, self.position + 4, 4
        if size > len(self.data) - start or size > padded:
            raise ValueError("ends before its data does")
        self.position = start + padded
        return kind, self.data[start : start + size]

    def values(self, max_count: int = MOST_AXES) -> list[Any]:
        """Returns the numbers in the next element.

        Raises:
          ValueError: there are more than `max_count`.
        """
        kind, body = self.next()
        if kind not in DTYPES:
            raise ValueError(f"holds numbers of an unknown type, {kind}")
        dtype = np.dtype(self.order + DTYPES[kind])
        if len(body) % dtype.itemsize or len(body) > max_count * dtype.itemsize:
            raise ValueError(f"says that it holds {max_count:,} numbers, and has other {len(body):,} bytes")
        return np.frombuffer(body, dtype).tolist()

    def text(self) -> str:
        """Returns the text in the next element."""
        kind, body = self.next()
        encoding = TEXTS.get(kind, "latin-1")
        byte_order = "" if "utf-8" in encoding or "latin" in encoding else "-le" if self.order == "<" else "-be"
        return bytes(body).decode(encoding + byte_order)


def _matrix(elements: _Elements, depth: int) -> tuple[str, Value | None]:
    """Returns the name of an array and its values; None for values that are not a vector or cannot be read."""
    if not elements.has_next():
        return "", []
    kind = elements.values()[0] & 0xFF
    shape = elements.values()
    name = elements.text()
    count = math.prod(shape)
    is_vector = count == max(shape, default=0)
    if kind == TEXT:
        text = elements.text() if elements.has_next() else ""
        height = shape[0] if len(shape) == 2 else 1
        return name, [text[row::height].rstrip() for row in range(height)] if 0 < height <= len(text) else [text]
    if kind in NUMBERS:
        return name, elements.values(count) if is_vector and elements.has_next() else None
    if kind not in (CELL, STRUCTURE) or depth > MOST_DEPTH:
        return name, None
    if kind == CELL:
        cells = [_inner_value(elements, depth) for _ in _count_elements(count, elements)]
        return name, cells if is_vector else None
    length = elements.values()[0]
    _, names = elements.next()
    if length < 1:
        raise ValueError("holds a structure whose fields have no names")
    fields = [bytes(names[i : i + length]).split(b"\0")[0].decode("latin-1") for i in range(0, len(names), length)]
    values: dict[str, list[Any]] = {field: [] for field in fields}
    for _ in _count_elements(count if fields else 0, elements):
        for field in fields:
            values[field].append(_inner_value(elements, depth))
    return name, values


def _count_elements(count: int, elements: _Elements) -> Iterator[int]:
    """Yields the numbers below `count`.

    Raises:
      ValueError: the elements end before.
    """
    for number in range(count):
        if not elements.has_next():
            raise ValueError("ends before its data does")
        yield number


def _inner_value(elements: _Elements, depth: int) -> Any:
    """Returns the value of a nested element."""
    kind, body = elements.next()
    return _matrix(_Elements(body, elements.order), depth + 1)[1] if kind == MATRIX else None


READER = Reader((".mat",), read)
