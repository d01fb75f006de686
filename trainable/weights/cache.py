"""Keeps weights as safetensors in the project's cache folder, made once from the file that their library serves.

The files are `~/.cache/sweep/weights/SHA256.NAME.FORMAT.safetensors`. The sha256 is that of the library's file, so that
weights made from another version of it are never found. A file holds the state dict of the net, and is mapped, so that
all workers of a machine share one copy in memory. If all files together are too large, those that have not been used
for the longest time are removed; they are made again when they are asked for.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.storage.files import DamagedError, last_used_first
from sweep.trainable.weights.contract import Weights, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1  # must change whenever the same library file gives other tensors
STALE_SECONDS = 86400.0  # after which an unfinished file belongs to no running process
KEPT_BYTES = 20 << 30  # of all weights together; weights in use stay, however large they are
UNUSED_SECONDS = 86400.0  # after which weights may be removed; each trial that reads some marks them as used
NAME = "kept"  # in `Weights.found_by`


def folder() -> Path:
    """Returns the folder of the kept weights, which may not be there yet."""
    from sweep.datasets.pixels import cache  # numpy: commands import this package before a second driver is refused

    return cache.folder() / "weights"


def path_of(arch: str, sha256: str) -> Path:
    """Returns the path of a net's kept weights.

    Args:
      sha256: of the library's file that they were made from.
    """
    return folder() / f"{sha256}.{arch.replace('/', '.')}.{FORMAT}.safetensors"


def find(arch: str, sha256: str) -> Weights | None:
    """Returns weights that were kept, without asking for the file that they were made from; None if there are none."""
    from safetensors import safe_open

    path = path_of(arch, sha256)
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads(json.loads(file.metadata()["about"])["weights"])
        return Weights(**about, path=path, found_by=NAME)
    except Exception:  # a file that cannot be used counts as missing
        return None


def tensors(weights: Weights) -> "dict[str, Tensor] | None":
    """Returns the kept tensors of weights, mapped from the file; None if there is no file or it is damaged.

    A sweep may have its own copy of the kept file, which is read if the cache folder has none.
    """
    path = path_of(weights.arch, weights.sha256)
    if (content := read(path)) is None:
        return read(weights.path) if weights.found_by == NAME else None
    with suppress(OSError):  # the folder may belong to somebody else
        os.utime(path)  # used now
    return content


def read(path: Path) -> "dict[str, Tensor] | None":
    """Returns the tensors in a kept file, mapped; None if it is not there or is damaged."""
    from sweep.storage.tensors import read_tensors

    with suppress(OSError, DamagedError):  # the caller writes it again, and reports it if that fails too
        return read_tensors(path)[1]
    return None


@contextmanager
def alone(weights: Weights) -> Iterator[None]:
    """Keeps other processes out of a block for the same weights while this one runs; raises as `keep` does."""
    path = path_of(weights.arch, weights.sha256)
    with _explain_write_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(path.with_suffix(".lock"), "ab")  # noqa: SIM115 (closed below, and by the end of its process)
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep(weights: Weights, state_dict: "dict[str, Tensor]") -> None:
    """Writes a state dict for `tensors` whole or not at all.

    Raises:
      WeightsError: the cache folder cannot be written.
    """
    from sweep.storage.tensors import save_tensors

    about = {name: value for name, value in asdict(weights).items() if name not in ("path", "found_by")}
    copies = {name: tensor.detach().contiguous().clone() for name, tensor in state_dict.items()}
    with _written(path_of(weights.arch, weights.sha256)) as partial:
        save_tensors(partial, copies, {"weights": json.dumps(about)})


def copy(weights: Weights, size: int, block: Callable[[int], bytes]) -> None:
    """Copies the driver's kept file to this machine, once, whole or not at all; raises as `keep` does.

    Args:
      size, block: the bytes of the driver's file, and the function that returns its blocks, for `far_files.get`.
    """
    from sweep.datasets import far_files

    path = path_of(weights.arch, weights.sha256)
    with _explain_write_errors(path):
        far_files.get(path, size, block, lambda: read(path) is not None)
        _tidy(path.parent)


def sha256_of(path: Path) -> str:
    """Returns the sha256 of a file, which is read once as long as it does not change.

    Raises:
      WeightsError: it cannot be read.
    """
    try:
        state = path.stat()
        return _digest(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error


@lru_cache
def _digest(path: Path, *state: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Yields a path of this process alone to write to; processes that write at once each leave the same file."""
    with _explain_write_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder, state in last_used_first(path.parent.glob("partial-*")):  # by a process that was killed
            if time.time() - state.st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="partial-", dir=path.parent) as place:
            partial = Path(place) / path.name
            yield partial
            os.replace(partial, path)
        _tidy(path.parent)


def _tidy(place: Path) -> None:
    """Removes stale unfinished copies, and if all weights are too large, those that were not used for longest."""
    for path, state in last_used_first(place.glob("*.copying")):
        if time.time() - state.st_mtime > STALE_SECONDS:
            path.unlink(missing_ok=True)
    total = 0
    for path, state in last_used_first(place.glob("*.safetensors")):
        total += state.st_size
        if total > KEPT_BYTES and time.time() - state.st_mtime > UNUSED_SECONDS:
            path.unlink(missing_ok=True)


@contextmanager
def _explain_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be written: {error.strerror or error}; the environment variable XDG_CACHE_HOME names "
            "another folder for what is kept"
        ) from error
