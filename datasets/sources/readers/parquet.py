"""Reads Parquet files that name images and hold none: one row per image, as text."""

import io

from sweep.datasets.sources.readers import Columns, Reader
from sweep.datasets.trees import as_value_errors
from sweep.datasets.trees.parquet import image_columns, is_binary


def read(data: bytes, place: str, file: str) -> Columns | None:
    """Returns the table, or None if the file holds images or no rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with as_value_errors():
        parquet_file = pq.ParquetFile(io.BytesIO(data))
        fields = list(parquet_file.schema_arrow)
        if image_columns(parquet_file):
            return None
        unread = [field.name for field in fields if pa.types.is_nested(field.type) or is_binary(field.type)]
        names = [field.name for field in fields if field.name not in unread]
        table = parquet_file.read(columns=names, use_threads=False)
        columns = [[_text(value) for value in table.column(name).to_pylist()] for name in names]
    rows = tuple(zip(*columns, strict=True))
    return (
        Columns(place, file, tuple(names), rows, tuple(range(1, len(rows) + 1)), unread=tuple(unread)) if rows else None
    )


def _text(value: object) -> str:
    """Returns a value as text: empty for null, whole numbers without a point."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


READER = Reader((".parquet", ".pq"), read)
