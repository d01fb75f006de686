"""`best.safetensors` in a trial's folder: the weights of its best epoch, with a checksum over all that the file says."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainable.files import DamagedError, check_regular, written_whole
from trainable.state import checksum


def save_weights(path: Path, weights: dict[str, Tensor], config: dict[str, Any], epoch: int) -> None:
    """Writes them whole or not at all.

    Args:
      config: of the trial, the fields that are set.
      epoch: the one that the weights are of.
    """
    metadata = {"config": json.dumps(config), "epoch": str(epoch)}
    with written_whole(path) as partial:
        save_file(weights, partial, metadata | {"crc32": checksum(metadata, weights)})


def check_weights(path: Path, config: dict[str, Any], epoch: int) -> None:
    """Raises:
    FileNotFoundError: it is not there.
    DamagedError: it is not, to the bit, what `save_weights` wrote of this config and epoch.
    """
    check_regular(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        is_whole = metadata.pop("crc32", "") == checksum(metadata, tensors)
        written = json.loads(metadata["config"]) if is_whole else {}
    except MemoryError:
        raise
    except Exception as error:  # parsers have more ways than can be listed to say that a file is none of theirs
        raise DamagedError(f"{path}: damaged, or no weights: {error}") from error
    if not is_whole:
        raise DamagedError(f"{path}: damaged: its checksum differs")
    if written != config or metadata["epoch"] != str(epoch):
        raise DamagedError(f"{path}: holds the weights of another trial, or of epoch {metadata['epoch']}, not {epoch}")
