"""Parquet files with a column of images: the bytes of image files, alone or as `{bytes, path}` like Hugging Face's.

A file is never read as a whole. Its rows lie in groups; the images of a group are read together and kept for a while.
If a group is too large for that, the images are unpacked once, see `unpacked.py`.
"""

import json
import re
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from sweep.datasets.listing_rules.rules_2 import BEGINNINGS
from sweep.datasets.trees import Kind, Opening, PixelsError, RowNames, Rows, Store, as_value_errors
from sweep.datasets.trees.regions import Region, RegionFile
from sweep.datasets.trees.unpacked import unpack

GROUP_BYTES = 128 << 20  # the largest group whose images are kept in memory together
BATCH = 16  # rows that are decoded at once
EMPTY_ROWS = 100  # rows without an image that may come before the first one
MOST_FILE = 256 << 20  # bytes of an image, the limit for any file
IMAGE_BEGINS = re.compile(b"|".join((*BEGINNINGS, rb"GIF8[79]a")), re.DOTALL)


@dataclass(frozen=True)
class ImageColumn:
    """A column of images.

    Attributes:
      name: the name of the column.
      leaf: the name that Parquet gives to the values in it.
      groups: the size of the images in each group, unpacked, in bytes.
    """

    name: str
    leaf: str
    groups: tuple[int, ...]


class Parquet(Store):
    """The images and the other columns of an open Parquet file."""

    has_rows = True

    def __init__(self, opening: Opening, file: Any, columns: Sequence[ImageColumn]) -> None:
        super().__init__()
        self._opening, self._file, self._lock = opening, file, threading.Lock()
        self._by_folder: dict[str, ImageColumn] = {}
        self._ends: list[int] = np.cumsum(_group_rows(file)).tolist()
        self._copies: dict[str, tuple[Region, np.ndarray]] = {}
        files: dict[str, int] = {}
        images = {}
        for column in columns:
            folder = re.sub(r"[^\w.-]|^\.+", "_", column.name) or "_"  # a column may have any name, even `..`
            while folder in self._by_folder:
                folder += "_"
            self._by_folder[folder] = column
            names = images[column.name] = RowNames(folder, file.metadata.num_rows)
            files |= dict.fromkeys(names, sum(column.groups) // max(1, len(names)))
            if max(column.groups, default=0) > GROUP_BYTES:
                self._copies[column.name] = _read_index(self._unpack(column))
        self.files = files
        self.tables = [_table(file, images)]

    def read(self, name: str, count: int) -> bytes:
        """Returns the bytes of the image in a row."""
        folder, _, row = name.rpartition("/")
        column = self._by_folder[folder]
        with as_value_errors():
            data = self._read_row(column, int(row))
        if not data:
            raise PixelsError(f"no image in column {column.name}", "remove the rows without an image")
        return data

    def _read_row(self, column: ImageColumn, row: int) -> bytes | None:
        """Returns the bytes of an image, or None for a null."""
        if column.name in self._copies:
            region, ends = self._copies[column.name]
            start = int(ends[row - 1]) if row else 0
            if (size := int(ends[row]) - start) > MOST_FILE:
                raise ValueError(f"at most {MOST_FILE >> 20} MiB, got {size >> 20}")
            return region.read(start, size)
        group = bisect_right(self._ends, row)
        first = self._ends[group - 1] if group else 0

        def read_group() -> tuple[tuple[list[Any], list[int]], int]:
            batches, ends, size = [], [0], 0
            for batch in self._batches(column, group):
                batches.append(batch)
                ends.append(ends[-1] + len(batch))
                size += batch.nbytes
                if size > 4 * GROUP_BYTES:  # more than its header says
                    raise ValueError(f"a group of rows of at most {GROUP_BYTES >> 20} MiB")
            return (batches, ends), size

        key = id(self), column.name, group
        batches, ends = self._opening.open_files.recent.find_or_read(key, self._lock, read_group)
        number = bisect_right(ends, row - first) - 1
        value: bytes | None = batches[number][row - first - ends[number]].as_py()
        return value

    def _batches(self, column: ImageColumn, group: int) -> Iterator[Any]:
        """Yields the values of a group, `BATCH` at a time, whatever the pages of the file are."""
        batches = self._file.iter_batches(BATCH, row_groups=[group], columns=[column.leaf], use_threads=False)
        for batch in batches:
            values = batch.column(0)
            yield values.field("bytes") if column.leaf != column.name else values

    def _unpack(self, column: ImageColumn) -> Region:
        """Unpacks a column: the bytes of all images, followed by the end of each and by their number."""

        def chunks() -> Iterator[bytes]:
            end, ends = 0, []
            for group in range(len(self._ends)):
                for batch in self._batches(column, group):
                    for value in batch:
                        data = value.as_py() or b""
                        end += len(data)
                        ends.append(end)
                        yield data
            yield np.array([*ends, len(ends)], "<i8").tobytes()

        return unpack(chunks, self._opening.region.size, column.name, self._opening)


def _read_index(region: Region) -> tuple[Region, np.ndarray]:
    """Returns an unpacked column, and the place in it where each image ends."""
    count = int.from_bytes(region.read(region.size - 8, 8), "little")
    return region, np.frombuffer(region.read(region.size - 8 - 8 * count, 8 * count), "<i8")


def _group_rows(file: Any) -> list[int]:
    """Returns the number of rows in each group."""
    return [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]


def is_binary(kind: Any) -> bool:
    """Returns whether a type of Arrow is that of bytes."""
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def image_columns(file: Any) -> list[ImageColumn]:
    """Returns the columns of a Parquet file that are taken as images.

    These are structs with binary `bytes`, and binary columns whose first value begins like an image file.
    """
    import pyarrow as pa

    columns = []
    for field in file.schema_arrow:
        if pa.types.is_struct(field.type) and any(
            child.name == "bytes" and is_binary(child.type) for child in field.type
        ):
            columns.append(ImageColumn(field.name, f"{field.name}.bytes", _leaf_bytes(file, f"{field.name}.bytes")))
        elif is_binary(field.type) and _begins_like_image(file, field.name):
            columns.append(ImageColumn(field.name, field.name, _leaf_bytes(file, field.name)))
    return columns


def _leaf_bytes(file: Any, leaf: str) -> tuple[int, ...]:
    """Returns the unpacked size of a column in each group."""
    groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
    return tuple(
        sum(
            group.column(i).total_uncompressed_size
            for i in range(group.num_columns)
            if group.column(i).path_in_schema == leaf
        )
        for group in groups
    )


def _begins_like_image(file: Any, column: str) -> bool:
    """Returns whether the first value of a column that is not empty begins like an image file."""
    batches = file.iter_batches(1, columns=[column], use_threads=False)
    values = (batch.column(0)[0].as_py() for batch in batches if batch.num_rows)
    return IMAGE_BEGINS.match(next(filter(None, islice(values, EMPTY_ROWS)), b"")) is not None


def _table(file: Any, images: dict[str, RowNames]) -> Rows:
    """Returns the table of a file: its images and its other columns."""
    import pyarrow as pa

    features = _features(file)
    columns, classes, list_columns = {}, {}, []
    for field in file.schema_arrow:
        feature = features.get(field.name)
        if field.name in images:
            if pa.types.is_struct(field.type) and field.type.get_field_index("path") >= 0:
                columns[f"{field.name}.path"] = _Column(file, f"{field.name}.path")
        elif pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            list_columns.append(field.name)
        elif not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type):
            columns[field.name] = _Column(file, field.name)
            names = feature.get("names") if isinstance(feature, dict) else None
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                classes[field.name] = tuple(names)
    return Rows("", images, dict(columns), classes, tuple(list_columns))


@dataclass(frozen=True)
class _Column:
    """A function that reads a column as text."""

    file: Any
    leaf: str

    def __call__(self) -> Sequence[str]:
        values: list[str] = []
        with as_value_errors():
            for batch in self.file.iter_batches(65536, columns=[self.leaf], use_threads=False):
                column = batch.column(0)
                column = column.field(self.leaf.rpartition(".")[2]) if self.leaf not in batch.schema.names else column
                values += map(_text, column.to_pylist())
        if len(values) != self.file.metadata.num_rows:
            raise ValueError(f"column {self.leaf} has {len(values):,} of {self.file.metadata.num_rows:,} values")
        return values


def _text(value: object) -> str:
    """Returns a value as text: empty for null, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _features(file: Any) -> dict[str, Any]:
    """Returns the description of the columns that Hugging Face's library `datasets` wrote; empty if there is none."""
    try:
        metadata = json.loads((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
        features = metadata["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _open(opening: Opening) -> Store | None:
    import pyarrow.parquet as pq

    with as_value_errors():
        # Without a buffer, or with pre-buffering, Arrow would hold the packed bytes of a whole group in memory.
        file = pq.ParquetFile(RegionFile(opening.region), buffer_size=1 << 20, pre_buffer=False)
        columns = image_columns(file)
        return Parquet(opening, file, columns) if columns else None


KIND = Kind("Parquet file", lambda name, head: name.endswith((".parquet", ".pq")), _open)
