"""Data sets as they were decoded last, in the user's cache folder: a start that finds its own reads no image file.

`~/.cache/sweep/KEY.arrow`: an Arrow file that is mapped, not read, with a batch a split. The key is made of the state
of all files as the file system tells it (bytes, times of change) and of how they are read, so a changed file is never
found. A file that is cut or altered is not used; nor is one kept from files that changed a moment ago, for within a
tick of the clock they may change again unseen.
"""

import hashlib
import json
import os
import shutil
import time
import zlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from datasets.dataset import Dataset, Split
from datasets.source import Source

FORMAT = 1  # another wherever images are decoded or resized in another way
DECODERS = [version(name) for name in ("opencv-python-headless", "pillow", "numpy")]
SETTLED_SECONDS = 2.0  # since the last change of any file; the clocks of some file systems tick that slowly
KEPT = 8  # data sets, the last used
FREE_SHARE = 4  # the disk must have room for so many of it


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sweep"


def key(source: Source, *reading: Any) -> str:
    """sha256, hexadecimal, of all that decides what reading gives.

    Args:
      reading: how it is read, as JSON has it.
    """
    about = [FORMAT, DECODERS, source.path, *reading]
    digest = hashlib.sha256(json.dumps(about).encode())
    for name, stamp in sorted(source.stamps.items()):
        digest.update(json.dumps([name, *stamp]).encode())
    for name, why in sorted(source.refused.items()):
        digest.update(json.dumps([name, why]).encode())
    return digest.hexdigest()


def find(key: str) -> Dataset | None:
    """The data set that was kept under the key; its pixels are mapped from the file."""
    path = folder() / f"{key}.arrow"
    if not path.exists():
        return None
    import pyarrow as pa

    try:
        data = _read(path)
        os.utime(path)  # used last
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError):
        return None
    return data


def keep(key: str, data: Dataset, source: Source) -> None:
    """Keeps a data set for `find`, where its files have settled and the disk has room."""
    newest = max((max(stamp[1:]) for stamp in source.stamps.values()), default=0)
    if time.time() - newest / 1e9 < SETTLED_SECONDS:
        return
    place = folder()
    partial = place / f"{key}-{os.getpid()}.partial"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = sum(split.images.nbytes for split in data.splits.values())
        if shutil.disk_usage(place).free < FREE_SHARE * size:
            return
        _write(partial, data)
        os.replace(partial, place / f"{key}.arrow")
        by_use = sorted(place.glob("*.arrow"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in by_use[KEPT:]:
            path.unlink()
    except OSError:  # the next start reads the images again
        with suppress(OSError):
            partial.unlink()


def _write(path: Path, data: Dataset) -> None:
    import pyarrow as pa

    about = {
        "splits": list(data.splits),
        "image_size": data.image_size,
        "classes": data.classes,
        "submission_ids": data.submission_ids,
        "fingerprint": data.fingerprint,
        "notes": data.notes,
        "crc32": _checksum(data),
    }
    width = 3 * data.image_size[0] * data.image_size[1]
    fields = {"id": pa.string(), "label": pa.int64(), "digest": pa.string(), "image": pa.binary(width)}
    schema = pa.schema(fields, metadata={"about": json.dumps(about)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for split in data.splits.values():
            count = len(split.ids)
            labels = pa.nulls(count, pa.int64()) if split.labels is None else pa.array(split.labels)
            buffers = [None, pa.py_buffer(np.ascontiguousarray(split.images))]
            images = pa.Array.from_buffers(pa.binary(width), count, buffers)
            columns = [pa.array(split.ids, pa.string()), labels, pa.array(split.digests, pa.string()), images]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _read(path: Path) -> Dataset:
    """Raises, among others, ValueError: it is not what `_write` wrote."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    about = json.loads(reader.schema.metadata[b"about"])
    splits = {name: _split(reader.get_batch(i), *about["image_size"]) for i, name in enumerate(about["splits"])}
    data = Dataset(
        train=splits["train"],
        valid=splits["validation"],
        test=splits.get("test"),
        classes=tuple(about["classes"]),
        submission_ids=None if about["submission_ids"] is None else tuple(about["submission_ids"]),
        fingerprint=about["fingerprint"],
        notes=tuple(about["notes"]),
    )
    if _checksum(data) != about["crc32"]:
        raise ValueError("damaged")
    return data


def _split(batch: Any, height: int, width: int) -> Split:
    labels = batch.column("label")
    pixels = np.frombuffer(batch.column("image").buffers()[1], np.uint8, batch.num_rows * 3 * height * width)
    return Split(
        ids=tuple(batch.column("id").to_pylist()),
        images=pixels.reshape(-1, 3, height, width),
        labels=None if labels.null_count else labels.to_numpy(),
        digests=tuple(batch.column("digest").to_pylist()),
    )


def _checksum(data: Dataset) -> int:
    """CRC-32 over all that a data set holds."""
    text = [data.classes, data.submission_ids, data.fingerprint, data.notes]
    crc = 0
    for name, split in data.splits.items():
        text += [name, split.ids, split.digests]
        crc = zlib.crc32(np.ascontiguousarray(split.images).data, crc)
        crc = crc if split.labels is None else zlib.crc32(np.ascontiguousarray(split.labels).data, crc)
    return zlib.crc32(json.dumps(text).encode(), crc)
