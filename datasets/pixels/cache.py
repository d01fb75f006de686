"""Data sets as they were read last, in the user's cache folder: a start that finds its own reads no image file.

`~/.cache/sweep/KEY.arrow`: an Arrow file that is mapped, not read, with a batch a split. It holds the pixels too, or
where they lie in a pool (`pool.py`). The key is made of the state of all files as the file system tells it (bytes,
times of change) and of how they are read, so a changed file is never found. A file that is cut or altered is not used;
nor is one kept from files that changed a moment before they were listed, for within a tick of the clock they may change
again unseen. Whatever is wrong with the cache, the images are read.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
import zlib
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sweep.datasets.file_tree import FileTree
from sweep.datasets.near_duplicates.found import NearDuplicates
from sweep.datasets.pixels.dataset import Dataset, LeftOut, Split
from sweep.datasets.pixels.form import JPEG
from sweep.datasets.pixels.stored import StoredPixels
from sweep.datasets.submission import kept
from sweep.storage.schema import parsed, to_json

NAMES = ("digests", "groups", "folds", "sets")  # what a split may have of each image beside its id and label
FORMAT = 6  # another wherever manifests, checks, cuts, decoding or resizing give something else
DECODERS = ("opencv-python-headless", "pillow", "numpy")  # whose versions decide the pixels
SETTLED_SECONDS = 2.0  # between the last change of a file and the listing; some file systems' clocks tick that slowly
KEPT_BYTES = 50 << 30  # of all data sets together; the one used last stays, however large it is
FREE_TIMES = 4  # the disk must have room for so many of a data set that is kept though nothing needs it
STALE_SECONDS = 3600.0  # after which a file that was begun and not ended is nobody's
STALE_COPY_SECONDS = 7 * 86400.0  # the same of a copy, which could go on where it was broken off


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sweep"


@cache
def _decoders() -> list[str]:
    return list(map(version, DECODERS))


def digest_of(*about: Any) -> "hashlib._Hash":
    """Returns a sha256 over this, as JSON has it, and over all that decides pixels beside the files."""
    return hashlib.sha256(json.dumps([FORMAT, _decoders(), *about]).encode())


def key_of(tree: FileTree, *reading: Any) -> str:
    """Returns the sha256, hexadecimal, of all that decides what reading gives.

    Args:
      reading: how it is read, as JSON has it.
    """
    digest = digest_of(tree.path, *reading)
    for part in (tree.stamps, tree.refused, dict.fromkeys(tree.folders)):
        digest.update(json.dumps(sorted(part.items())).encode())
    return digest.hexdigest()


def is_settled(tree: FileTree, stamp: tuple[int, ...]) -> bool:
    """Says whether a file with this stamp was last changed so long before the listing that a change would be seen."""
    return tree.listed_at - stamp[-1] / 1e9 >= SETTLED_SECONDS


def find(key: str, form: str | None = None) -> Dataset | None:
    """Returns the data set that was kept under the key; None where there is none, or it cannot be used.

    Args:
      form: that a sweep began with; None for any.
    """
    try:
        path = folder() / f"{key}.arrow"
        if not path.exists():
            return None
        data = _read(path)
        if form is not None and (form == JPEG) != (data.form == JPEG):
            return None
        with suppress(OSError):  # somebody else's cache can be read, too
            os.utime(path)  # used last
        return data
    except Exception:  # a cache that cannot be used is none
        return None


def keep(key: str, data: Dataset, tree: FileTree) -> None:
    """Keeps a data set for `find`, where its files had settled and the disk has room."""
    if not all(is_settled(tree, stamp) for stamp in tree.stamps.values()):
        return
    with suppress(Exception):  # the next start reads the images again
        place = folder()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        arrays = [split.images.nbytes for split in data.splits.values() if isinstance(split.images, np.ndarray)]
        if shutil.disk_usage(place).free < FREE_TIMES * sum(arrays):
            return
        handle, partial = tempfile.mkstemp(suffix=".partial", dir=place)
        os.close(handle)
        try:
            _write(Path(partial), data)
            os.replace(partial, place / f"{key}.arrow")
        finally:
            Path(partial).unlink(missing_ok=True)
        tidy(place)


def tidy(place: Path) -> None:
    """Removes what was used least lately, where all together is too much; nothing that a process has open."""
    from sweep.datasets.pixels.pool import PIXELS, ROWS, is_used

    for pattern, seconds in {"*.partial": STALE_SECONDS, "*.copying": STALE_COPY_SECONDS}.items():
        for path in place.glob(pattern):
            if time.time() - path.stat().st_mtime > seconds:
                path.unlink()
    total = 0
    kept = [path for path in place.iterdir() if path.suffix in (".arrow", PIXELS)]
    for number, path in enumerate(sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True)):
        total += path.stat().st_size
        rows = path.with_suffix(ROWS)
        # The first two are the data set that was just kept, and its pool.
        if total > KEPT_BYTES and number > 1 and not (is_used(path) or is_used(rows)):
            path.unlink()
            rows.unlink(missing_ok=True)
            path.with_suffix(".blocks").unlink(missing_ok=True)


def _write(path: Path, data: Dataset) -> None:
    import pyarrow as pa

    about = {
        "splits": list(data.splits),
        "image_size": data.image_size,
        "classes": data.classes,
        "submission": None if data.submission is None else kept.to_bytes(data.submission).decode(),
        "fingerprint": data.fingerprint,
        "notes": data.notes,
        "left_out": [vars(image) for image in data.left_out],
        "near_duplicates": to_json(data.near_duplicates),
        "form": data.form,
        "pool": data.train.images.path.name if isinstance(data.train.images, StoredPixels) else None,
        "crc32": _checksum(data),
    }
    fields = {"id": pa.string(), "label": pa.int64()} | {name.removesuffix("s"): pa.string() for name in NAMES}
    if about["pool"]:
        fields |= {"start": pa.int64(), "length": pa.int64(), "checksum": pa.uint32()}
    else:
        fields |= {"image": pa.binary(3 * data.image_size[0] * data.image_size[1])}
    schema = pa.schema(fields, metadata={"about": json.dumps(about)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for split in data.splits.values():
            count = len(split.ids)
            labels = pa.nulls(count, pa.int64()) if split.labels is None else pa.array(split.labels)
            names = [pa.array(each, pa.string()) if each else pa.nulls(count, pa.string()) for each in _names(split)]
            columns = [pa.array(split.ids, pa.string()), labels, *names]
            if isinstance(split.images, StoredPixels):
                numbers = (*split.images.places.T, split.images.checksums)
                columns += [pa.array(np.ascontiguousarray(column)) for column in numbers]
            else:
                buffers = [None, pa.py_buffer(np.ascontiguousarray(split.images[:]))]
                columns.append(pa.Array.from_buffers(fields["image"], count, buffers))
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _read(path: Path) -> Dataset:
    """Reads what `_write` wrote; raises ValueError, among others, where it is something else."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    about = json.loads(reader.schema.metadata[b"about"])
    splits = {name: _split(reader.get_batch(i), about, path.parent) for i, name in enumerate(about["splits"])}
    data = Dataset(
        train=splits["train"],
        valid=splits.get("validation") or splits["train"].empty(),
        test=splits.get("test"),
        classes=tuple(about["classes"]),
        submission=None if about["submission"] is None else kept.of_bytes(about["submission"]),
        fingerprint=about["fingerprint"],
        notes=tuple(about["notes"]),
        left_out=tuple(LeftOut(**image) for image in about["left_out"]),
        near_duplicates=parsed(NearDuplicates, about["near_duplicates"]),
    )
    if _checksum(data) != about["crc32"]:
        raise ValueError("damaged")
    return data


def _split(batch: Any, about: dict[str, Any], place: Path) -> Split:
    count, labels = batch.num_rows, batch.column("label")
    height, width = about["image_size"]

    def numbers(name: str, dtype: type[np.generic]) -> np.ndarray:
        # Not `to_numpy`, which imports pandas: half a second that a start has no use for.
        return np.frombuffer(batch.column(name).buffers()[1], dtype, count)

    if about["pool"]:
        path = place / about["pool"]
        places = np.stack([numbers("start", np.int64), numbers("length", np.int64)], axis=1)
        images: Any = StoredPixels(path, about["form"], (height, width), places, numbers("checksum", np.uint32).copy())
        images.hold()
        if images.end > path.stat().st_size:
            raise ValueError("cut")
        with suppress(OSError):
            os.utime(path)  # used last
    else:
        pixels = np.frombuffer(batch.column("image").buffers()[1], np.uint8, count * 3 * height * width)
        images = pixels.reshape(-1, 3, height, width)
    return Split(
        ids=tuple(batch.column("id").to_pylist()),
        images=images,
        labels=None if labels.null_count else numbers("label", np.int64),
        **{name: _tuple(batch.column(name.removesuffix("s"))) for name in NAMES},
    )


def _names(split: Split) -> tuple[tuple[str, ...], ...]:
    """Returns what is known of each image by `NAMES`; nothing of a kind that is known of none."""
    return tuple(getattr(split, name) for name in NAMES)


def _tuple(column: Any) -> tuple[str, ...]:
    return () if column.null_count else tuple(column.to_pylist())


def _checksum(data: Dataset) -> int:
    """Returns the CRC-32 over all that a data set holds; the pixels of a pool have theirs, each image its own."""
    submission = data.submission and kept.to_bytes(data.submission).decode()
    text = [data.classes, submission, data.fingerprint, data.notes, *map(vars, data.left_out)]
    text.append(to_json(data.near_duplicates))
    crc = 0
    for name, split in data.splits.items():
        text += [name, split.ids, *_names(split)]
        images = split.images
        parts = [images.places, images.checksums] if isinstance(images, StoredPixels) else [images[:]]
        for part in [*parts, *([] if split.labels is None else [split.labels])]:
            crc = zlib.crc32(np.ascontiguousarray(part).data, crc)
    return zlib.crc32(json.dumps(text).encode(), crc)
