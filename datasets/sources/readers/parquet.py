"""Parquet files that name images and hold none: a row an image, read as text."""

import io

from datasets.sources.readers import Columns, Reader
from datasets.trees import as_value_errors


def read(data: bytes, place: str, file: str) -> Columns | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with as_value_errors():
        found = pq.ParquetFile(io.BytesIO(data))
        fields = list(found.schema_arrow)
        if any(pa.types.is_struct(field.type) or pa.types.is_binary(field.type) for field in fields):
            return None  # these hold images
        flat = [field.name for field in fields if not pa.types.is_nested(field.type)]
        table = found.read(columns=flat, use_threads=False)
        columns = [[_text(value) for value in table.column(name).to_pylist()] for name in flat]
    rows = tuple(zip(*columns, strict=True))
    return Columns(place, file, tuple(flat), rows, tuple(range(1, len(rows) + 1))) if rows else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


READER = Reader((".parquet", ".pq"), read)
