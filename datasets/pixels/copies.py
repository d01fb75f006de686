"""Lets a node of a cluster read a sweep's pool: the driver's own file if the node sees it, else a copy of it.

A copy is fetched once for a node and used by all its workers. A worker compares each image with its checksum when it
first reads it, as it does in the driver's own file.
"""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from sweep.datasets.far_files import Block, get
from sweep.datasets.pixels import Pixels, cache
from sweep.datasets.pixels.dataset import Dataset
from sweep.datasets.pixels.pool import PIXELS
from sweep.datasets.pixels.rows import JoinedPixels
from sweep.datasets.pixels.stored import StoredPixels
from sweep.storage.files import DamagedError


def readable_here(data: Dataset, block: Block) -> Dataset:
    """Returns the data with pixels that this machine can read: the driver's own file if it is seen here, else a copy.

    Raises:
      OSError: the copy cannot be written.
    """
    parts = [part for split in (data.train, data.valid) for part in _stored_parts(split.images)]
    if not parts or all(map(_is_here, parts)):
        return data
    path = _fetch_copy(parts, block)
    train, valid = (replace(split, images=_in_copy(split.images, path)) for split in (data.train, data.valid))
    return replace(data, train=train, valid=valid)


def _stored_parts(images: Pixels) -> list[StoredPixels]:
    if isinstance(images, JoinedPixels):
        return [*_stored_parts(images.first), *_stored_parts(images.second)]
    return [images] if isinstance(images, StoredPixels) else []


def _in_copy(images: Pixels, path: Path) -> Pixels:
    if isinstance(images, JoinedPixels):
        return JoinedPixels(_in_copy(images.first, path), _in_copy(images.second, path))
    return images.in_copy(path) if isinstance(images, StoredPixels) else images


def _is_here(images: StoredPixels) -> bool:
    """Returns whether the file is there and has these images, judged by the first one, the last one and its size."""
    try:
        images[sorted({0, len(images) - 1})]
        return images.end <= images.path.stat().st_size
    except (OSError, DamagedError):
        return False


def _fetch_copy(parts: list[StoredPixels], block: Block) -> Path:
    """Returns the path of this machine's copy once it is whole; waits for another worker that is fetching it."""
    identity = 0
    for part in parts:
        identity = zlib.crc32(np.ascontiguousarray(part.places).data, zlib.crc32(part.checksums.data, identity))
    path = cache.folder() / f"{parts[0].path.stem}-{identity:08x}{PIXELS}"
    if get(path, max(part.end for part in parts), block, path.exists):
        cache.tidy(path.parent)
    return path
