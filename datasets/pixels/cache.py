"""Data sets as they were decoded last, in the user's cache folder: a start that finds its own reads no image file.

`~/.cache/sweep/KEY.arrow`: an Arrow file that is mapped, not read, with a batch a split. The key is made of the state
of all files as the file system tells it (bytes, times of change) and of how they are read, so a changed file is never
found. A file that is cut or altered is not used; nor is one kept from files that changed a moment before they were
listed, for within a tick of the clock they may change again unseen. Whatever is wrong with the cache, the images are
read.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL

from datasets.file_tree import FileTree
from datasets.pixels.dataset import Dataset, LeftOut, Split
from datasets.submission import Submission

FORMAT = 3  # another wherever manifests, checks, cuts, decoding or resizing give something else
SETTLED_SECONDS = 2.0  # between the last change of a file and the listing; some file systems' clocks tick that slowly
KEPT_BYTES = 20 << 30  # of all data sets; the last used stay
FREE_TIMES = 4  # the disk must have room for so many of it
STALE_SECONDS = 3600.0  # after which a file that was begun and not ended is nobody's


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sweep"


def key_of(tree: FileTree, *reading: Any) -> str:
    """Returns the sha256, hexadecimal, of all that decides what reading gives.

    Args:
      reading: how it is read, as JSON has it.
    """
    decoders = [cv2.__version__, PIL.__version__, np.__version__]
    digest = hashlib.sha256(json.dumps([FORMAT, decoders, tree.path, *reading]).encode())
    for part in (tree.stamps, tree.refused, dict.fromkeys(tree.folders)):
        digest.update(json.dumps(sorted(part.items())).encode())
    return digest.hexdigest()


def find(key: str) -> Dataset | None:
    """Returns the data set that was kept under the key; None where there is none, or it cannot be used."""
    try:
        path = folder() / f"{key}.arrow"
        if not path.exists():
            return None
        data = _read(path)
        with suppress(OSError):  # somebody else's cache can be read, too
            os.utime(path)  # used last
        return data
    except Exception:  # a cache that cannot be used is none
        return None


def keep(key: str, data: Dataset, tree: FileTree) -> None:
    """Keeps a data set for `find`, where its files had settled and the disk has room."""
    changed = max((entry_changed for *_, entry_changed in tree.stamps.values()), default=0)
    if tree.listed_at - changed / 1e9 < SETTLED_SECONDS:
        return
    with suppress(Exception):  # the next start reads the images again
        place = folder()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = sum(split.images.nbytes for split in data.splits.values())
        if shutil.disk_usage(place).free < FREE_TIMES * size:
            return
        handle, partial = tempfile.mkstemp(suffix=".partial", dir=place)
        os.close(handle)
        try:
            _write(Path(partial), data)
            os.replace(partial, place / f"{key}.arrow")
        finally:
            Path(partial).unlink(missing_ok=True)
        _remove_old(place)


def _remove_old(place: Path) -> None:
    for path in place.glob("*.partial"):
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            path.unlink()
    total = 0
    for path in sorted(place.glob("*.arrow"), key=lambda path: path.stat().st_mtime, reverse=True):
        total += path.stat().st_size
        if total > KEPT_BYTES:
            path.unlink()


def _write(path: Path, data: Dataset) -> None:
    import pyarrow as pa

    about = {
        "splits": list(data.splits),
        "image_size": data.image_size,
        "classes": data.classes,
        "submission": None if data.submission is None else asdict(data.submission),
        "fingerprint": data.fingerprint,
        "notes": data.notes,
        "left_out": [vars(image) for image in data.left_out],
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
    """Reads what `_write` wrote; raises ValueError, among others, where it is something else."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    about = json.loads(reader.schema.metadata[b"about"])
    splits = {name: _split(reader.get_batch(i), *about["image_size"]) for i, name in enumerate(about["splits"])}
    data = Dataset(
        train=splits["train"],
        valid=splits["validation"],
        test=splits.get("test"),
        classes=tuple(about["classes"]),
        submission=None if about["submission"] is None else _submission(about["submission"]),
        fingerprint=about["fingerprint"],
        notes=tuple(about["notes"]),
        left_out=tuple(LeftOut(**image) for image in about["left_out"]),
    )
    if _checksum(data) != about["crc32"]:
        raise ValueError("damaged")
    return data


def _split(batch: Any, height: int, width: int) -> Split:
    count, labels = batch.num_rows, batch.column("label")
    pixels = np.frombuffer(batch.column("image").buffers()[1], np.uint8, count * 3 * height * width)
    return Split(
        ids=tuple(batch.column("id").to_pylist()),
        images=pixels.reshape(-1, 3, height, width),
        # Not `to_numpy`, which imports pandas: half a second that a start has no use for.
        labels=None if labels.null_count else np.frombuffer(labels.buffers()[1], np.int64, count),
        digests=tuple(batch.column("digest").to_pylist()),
    )


def _submission(about: dict[str, list[Any]]) -> Submission:
    header, ids, rows = about["header"], about["ids"], about["rows"]
    return Submission((header[0], header[1]), tuple(ids), tuple(rows))


def _checksum(data: Dataset) -> int:
    """Returns the CRC-32 over all that a data set holds."""
    submission = data.submission and asdict(data.submission)
    text = [data.classes, submission, data.fingerprint, data.notes, *map(vars, data.left_out)]
    crc = 0
    for name, split in data.splits.items():
        text += [name, split.ids, split.digests]
        crc = zlib.crc32(np.ascontiguousarray(split.images).data, crc)
        crc = crc if split.labels is None else zlib.crc32(np.ascontiguousarray(split.labels).data, crc)
    return zlib.crc32(json.dumps(text).encode(), crc)
