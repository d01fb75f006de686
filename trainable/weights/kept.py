"""Weights as safetensors in the project's cache folder, made once of the file that their library serves.

`~/.cache/sweep/weights/SHA256.NAME.safetensors`: the sha256 is that of the library's file, so a file that changed is
never found. It is mapped, so that all workers of a machine share one copy.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.pixels import cache
from storage.files import DamagedError
from trainable.weights.contract import Weights, WeightsError

if TYPE_CHECKING:
    from torch import Tensor


def folder() -> Path:
    return cache.folder() / "weights"


def path_of(weights: Weights) -> Path:
    return folder() / f"{weights.sha256}.{weights.arch.replace('/', '.')}.safetensors"


def state_dict(weights: Weights, read: Callable[[Weights], "dict[str, Tensor]"]) -> "dict[str, Tensor]":
    """Returns the tensors that are kept, or keeps what `read` makes of the library's file.

    Raises:
      WeightsError: the file is not there, or is another one.
    """
    from storage.tensors import read_tensors

    with suppress(FileNotFoundError, DamagedError):
        return read_tensors(path_of(weights))[1]
    check(weights)
    keep(weights, read(weights))
    return read_tensors(path_of(weights))[1]


def check(weights: Weights) -> None:
    """Raises:
    WeightsError: the file is not there, or is another one than it was found as.
    """
    digest = sha256_of(weights.path)
    if digest != weights.sha256:
        raise WeightsError(
            f"{weights.path}: must be the file with the sha256 {weights.sha256}, got {digest}; put the right one there"
        )


def sha256_of(path: Path) -> str:
    """Raises:
    WeightsError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error


def keep(weights: Weights, tensors: "dict[str, Tensor]") -> None:
    """Writes the tensors whole or not at all; of several processes that do so at once, each leaves the same file.

    Raises:
      WeightsError: the cache folder cannot be written.
    """
    from storage.tensors import save_tensors

    about = {"arch": weights.arch, "source": weights.source, "sha256": weights.sha256, "licence": weights.licence}
    path = path_of(weights)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="partial-", dir=path.parent) as place:
            whole = Path(place) / path.name
            save_tensors(whole, {name: tensor.contiguous().clone() for name, tensor in tensors.items()}, about)
            os.replace(whole, path)
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be written: {error.strerror or error}; the environment variable XDG_CACHE_HOME names "
            "another folder for what is kept"
        ) from error
