"""Keeps data sets that were read in the user's cache folder, so that the next start reads no image file.

A data set is kept as `~/.cache/sweep/KEY.arrow`: an Arrow file with one batch per split, which is mapped into memory
and not read. It holds either the pixels, or their places in a pool (`pool.py`). The key is a hash of the state of all
files as the file system tells it (sizes and times of change) and of how they are read, so a changed file leads to
another key. A cache file that was cut off or altered is not used. Nothing is kept if a file of the data changed a
moment before the files were listed: it could change again within the same tick of the clock, and nobody would notice.
Whatever is wrong with the cache, the images are simply read.
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
from sweep.datasets.near_duplicates.summary import NearDuplicates
from sweep.datasets.pixels.dataset import Dataset, LeftOut, Split
from sweep.datasets.pixels.form import JPEG
from sweep.datasets.pixels.stored import StoredPixels
from sweep.datasets.submission import stored
from sweep.storage.files import last_used_first
from sweep.storage.schema import parsed, to_json

NAMES = ("digests", "groups", "folds", "sets")  # attributes of `Split` with one string per image, beside the ids
# increased whenever the same files would give another data set: other listing, checks, cuts, decoding or resizing
FORMAT = 6
DECODERS = ("opencv-python-headless", "pillow", "numpy")  # the packages whose versions decide the pixels
# least time between the last change of a file and the listing; the clocks of some file systems tick that slowly
SETTLED_SECONDS = 2.0
KEPT_BYTES = 50 << 30  # for all data sets together; the one used last stays, however large it is
FREE_TIMES = 4  # how many times the size of a data set must be free on the disk for it to be kept
STALE_SECONDS = 3600.0  # after which an unfinished file counts as abandoned
STALE_COPY_SECONDS = 7 * 86400.0  # the same for a copy, which could be continued where it stopped


def folder() -> Path:
    """Returns the cache folder: `sweep` in `$XDG_CACHE_HOME`, by default in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sweep"


@cache
def _decoders() -> list[str]:
    return list(map(version, DECODERS))


def digest_of(*values: Any) -> "hashlib._Hash":
    """Returns a sha256 object that has hashed the arguments and everything beside the files that decides pixels.

    Args:
      values: the arguments, which JSON must be able to hold.
    """
    return hashlib.sha256(json.dumps([FORMAT, _decoders(), *values]).encode())


def key_of(tree: FileTree, *reading: Any) -> str:
    """Returns the cache key of a data set: the hexadecimal sha256 of everything that decides the result of reading it.

    Args:
      tree: the files.
      reading: how they are read, as values that JSON can hold.
    """
    digest = digest_of(tree.path, *reading)
    for part in (tree.stamps, tree.refused, dict.fromkeys(tree.folders)):
        digest.update(json.dumps(sorted(part.items())).encode())
    return digest.hexdigest()


def is_settled(tree: FileTree, stamp: tuple[int, ...]) -> bool:
    """Returns whether a file was last changed so long before the listing that its stamp would show another change."""
    return tree.listed_at - stamp[-1] / 1e9 >= SETTLED_SECONDS


def find(key: str, form: str | None = None) -> Dataset | None:
    """Returns the data set that is kept under a key; None if there is none or it cannot be used.

    Args:
      key: see `key_of`.
      form: the form of pixels with which the sweep began; None accepts any.
    """
    try:
        path = folder() / f"{key}.arrow"
        if not path.exists():
            return None
        data = _read(path)
        if form is not None and (form == JPEG) != (data.form == JPEG):
            return None
        with suppress(OSError):  # a cache of somebody else can be read, but not touched
            os.utime(path)  # marks it as the one used last
        return data
    except Exception:  # a cache that cannot be used counts as absent
        return None


def keep(key: str, data: Dataset, tree: FileTree) -> None:
    """Keeps a data set for `find`, provided that its files had settled and the disk has room."""
    if not all(is_settled(tree, stamp) for stamp in tree.stamps.values()):
        return
    with suppress(Exception):  # without a cache, the next start reads the images again
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
    """Removes the data sets that were used least recently if all together are too large, and abandoned files.

    Nothing that a process has open is removed.
    """
    from sweep.datasets.pixels.pool import PIXELS, ROWS, is_used

    for pattern, seconds in {"*.partial": STALE_SECONDS, "*.copying": STALE_COPY_SECONDS}.items():
        for path, state in last_used_first(place.glob(pattern)):
            if time.time() - state.st_mtime > seconds:
                path.unlink(missing_ok=True)
    total = 0
    paths = [path for path in place.iterdir() if path.suffix in (".arrow", PIXELS)]
    for number, (path, state) in enumerate(last_used_first(paths)):
        total += state.st_size
        rows = path.with_suffix(ROWS)
        # The two newest files are the data set that was just kept and its pool.
        if total > KEPT_BYTES and number > 1 and not (is_used(path) or is_used(rows)):
            path.unlink(missing_ok=True)
            rows.unlink(missing_ok=True)
            path.with_suffix(".blocks").unlink(missing_ok=True)


def _write(path: Path, data: Dataset) -> None:
    """Writes a data set as an Arrow file."""
    import pyarrow as pa

    header = {
        "splits": list(data.splits),
        "image_size": data.image_size,
        "classes": data.classes,
        "submission": None if data.submission is None else stored.to_bytes(data.submission).decode(),
        "fingerprint": data.fingerprint,
        "notes": data.notes,
        "left_out": [vars(image) for image in data.left_out],
        "near_duplicates": to_json(data.near_duplicates),
        "form": data.form,
        "pool": data.train.images.path.name if isinstance(data.train.images, StoredPixels) else None,
        "crc32": _checksum(data),
    }
    fields = {"id": pa.string(), "label": pa.int64()} | {name.removesuffix("s"): pa.string() for name in NAMES}
    if header["pool"]:
        fields |= {"start": pa.int64(), "length": pa.int64(), "checksum": pa.uint32()}
    else:
        fields |= {"image": pa.binary(3 * data.image_size[0] * data.image_size[1])}
    schema = pa.schema(fields, metadata={"about": json.dumps(header)})
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
    """Reads a data set that `_write` wrote.

    Raises:
      Exception: of several kinds, if the file is damaged or is no such file.
    """
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    header = json.loads(reader.schema.metadata[b"about"])
    splits = {name: _split(reader.get_batch(i), header, path.parent) for i, name in enumerate(header["splits"])}
    data = Dataset(
        train=splits["train"],
        valid=splits.get("validation") or splits["train"].empty(),
        test=splits.get("test"),
        classes=tuple(header["classes"]),
        submission=None if header["submission"] is None else stored.of_bytes(header["submission"]),
        fingerprint=header["fingerprint"],
        notes=tuple(header["notes"]),
        left_out=tuple(LeftOut(**image) for image in header["left_out"]),
        near_duplicates=parsed(NearDuplicates, header["near_duplicates"]),
    )
    if _checksum(data) != header["crc32"]:
        raise ValueError("damaged")
    return data


def _split(batch: Any, header: dict[str, Any], place: Path) -> Split:
    """Returns the split that a batch holds."""
    count, labels = batch.num_rows, batch.column("label")
    height, width = header["image_size"]

    def numbers(name: str, dtype: type[np.generic]) -> np.ndarray:
        # `to_numpy` would import pandas, which takes half a second at every start.
        return np.frombuffer(batch.column(name).buffers()[1], dtype, count)

    if header["pool"]:
        path = place / header["pool"]
        places = np.stack([numbers("start", np.int64), numbers("length", np.int64)], axis=1)
        images: Any = StoredPixels(path, header["form"], (height, width), places, numbers("checksum", np.uint32).copy())
        images.hold()
        if images.end > path.stat().st_size:
            raise ValueError("cut")
        with suppress(OSError):
            os.utime(path)  # marks it as the one used last
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
    """Returns the attributes of a split that `NAMES` lists, in that order; those that the split lacks are empty."""
    return tuple(getattr(split, name) for name in NAMES)


def _tuple(column: Any) -> tuple[str, ...]:
    """Returns the strings of a column; an empty tuple if they are null."""
    return () if column.null_count else tuple(column.to_pylist())


def _checksum(data: Dataset) -> int:
    """Returns the CRC-32 of a data set, without pixels in a pool, where each image has a checksum of its own."""
    submission = data.submission and stored.to_bytes(data.submission).decode()
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
